import type { PoolConnection } from "@farebox/kit/mysql";
import type { RowDataPacket } from "mysql2/promise";
import type { Drift } from "../domain/account-laws.ts";
import { dayMs, uuidFloorHex } from "../domain/usage-day.ts";
import { type RowLaw, rowLaws } from "./row-laws.ts";

export type RowLawsInput = {
  readonly accountIds: readonly string[];
  /** Also compares with every single transaction and lease, whose number is large for a busy account. */
  readonly isDeep: boolean;
  /** The first day of which no transaction has been dropped, by its midnight. */
  readonly keptFromMs: number;
};

/** How much later than its id's an attempt's own time may be: what is asked of a time must find every id. */
const marginMs = 2 * dayMs;
/** How many differences of one law are listed for one page of accounts. */
const driftsMax = 1_000;

/** Rows that break a law. */
export type RowDrifts = {
  readonly drifts: readonly Drift[];
  /** Whether these are all: false when those of a law may have been cut. */
  readonly isWhole: boolean;
};

/** Finds the rows of a page of accounts that break a law, inside the caller's consistent snapshot. */
export async function readRowDrifts(tx: PoolConnection, input: RowLawsInput): Promise<RowDrifts> {
  const drifts: Drift[] = [];
  let isWhole = true;
  for (const law of rowLaws) {
    if (law.isDeep && !input.isDeep) continue;
    const [rows] = await tx.query<DriftRow[]>(
      `${law.sql} LIMIT ${driftsMax}`,
      valuesOf(law, input),
    );
    if (rows.length >= driftsMax) isWhole = false;
    for (const row of rows) {
      drifts.push({
        accountId: row.account_id,
        law: law.name,
        subject: row.subject,
        expected: BigInt(row.expected),
        actual: BigInt(row.actual),
      });
    }
  }
  return { drifts, isWhole };
}

type DriftRow = RowDataPacket & {
  readonly account_id: string;
  readonly subject: string;
  readonly expected: string | bigint;
  readonly actual: string | bigint;
};

function valuesOf(law: RowLaw, input: RowLawsInput): unknown[] {
  const values = {
    accounts: input.accountIds,
    keptTime: new Date(input.keptFromMs + marginMs),
    keptId: Buffer.from(uuidFloorHex(input.keptFromMs), "hex"),
  };
  return law.takes.map((parameter) => values[parameter]);
}
