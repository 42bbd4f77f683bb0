import { readFile } from "node:fs/promises";
import { PriceError } from "@farebox/pricing/price-error";
import { isRecord, type RecordReader, readRecord } from "@farebox/pricing/record-reader";
import { type FreeQuotaRule, freeUnits, quotaPeriods } from "../domain/free-quota.ts";
import { parseYaml } from "./parse-yaml.ts";

const rulesMost = 1_000;
const amountMost = 1_000_000_000_000;

/**
 * Reads the file named by FAREBOX_FREE_QUOTAS: a list `free_quotas` of `{service, period, unit, amount}`. Throws an Error
 * that names the file and every field at fault.
 */
export async function readFreeQuotaFile(path: string): Promise<readonly FreeQuotaRule[]> {
  const text = await readFile(path, "utf8");
  try {
    return parseFreeQuotaFile(text);
  } catch (error) {
    throw new Error(`${path}: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
}

/** Reads the text of a free quota file. Throws a PriceError that names every field at fault. */
export function parseFreeQuotaFile(text: string): readonly FreeQuotaRule[] {
  const faults: string[] = [];
  const read = parseYaml(text) ?? {};
  const reader = readRecord(isRecord(read) ? read : { free_quotas: read }, "", faults);
  const rules = reader
    .list("free_quotas", rulesMost)
    .map((value, index) => readRule(readRecord(value, `free_quotas[${index}]`, faults)));
  reader.refuseUnknown();
  if (new Set(rules.map((rule) => rule.service)).size < rules.length) {
    reader.fault("free_quotas", "must not name one service twice");
  }
  if (faults.length > 0) throw new PriceError("free quota file", faults);
  return rules;
}

function readRule(reader: RecordReader): FreeQuotaRule {
  const service = reader.text("service", {
    pattern: /^[a-z0-9_.-]{1,64}$/,
    expected: "1 to 64 of a-z, 0-9, _, . and -",
  });
  const period = readWord(reader, "period", quotaPeriods);
  const unit = readWord(reader, "unit", freeUnits);
  const amount = reader.count("amount", { least: 0 });
  if (amount > amountMost) reader.fault("amount", `must be at most ${amountMost}`);
  reader.refuseUnknown();
  return { service, period, unit, amount: BigInt(amount) };
}

/** One of a few words, in lower case as files spell them; the first where there is a fault. */
function readWord<const Word extends string>(
  reader: RecordReader,
  name: string,
  words: readonly [Word, ...Word[]],
): Word {
  const spelled = words.map((word) => word.toLowerCase());
  const pattern = new RegExp(`^(${spelled.join("|")})$`);
  const text = reader.text(name, { pattern, expected: spelled.join(", ") });
  return words.find((word) => word.toLowerCase() === text) ?? words[0];
}
