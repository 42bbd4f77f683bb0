import { ExactDecimal, readDecimal } from "./exact-decimal.ts";

/** Reads the fields of one untrusted record, noting every fault by its path instead of stopping at the first. */
export type RecordReader = {
  /** A text that matches; `fallback` when absent, which is a fault if there is none. */
  text(name: string, rule: TextRule): string;
  /** A decimal in canonical spelling from zero to `most`; undefined when absent, which may be a fault. */
  decimal(
    name: string,
    rule: { readonly most: string; readonly required: boolean },
  ): string | undefined;
  /** A whole number from `least` up; `fallback` when absent, which is a fault if there is none. */
  count(name: string, rule: { readonly least: number; readonly fallback?: number }): number;
  /** A list of at most `most` items; empty when absent. */
  list(name: string, most: number): readonly unknown[];
  /** Whatever the field holds; undefined when absent. */
  value(name: string): unknown;
  /** Notes a fault of a field, or of the record when the name is empty. */
  fault(name: string, why: string): void;
  /** Notes every field that nothing has read. */
  refuseUnknown(): void;
};

/** What a text must look like, and how a fault says so. */
export type TextRule = {
  readonly pattern: RegExp;
  readonly expected: string;
  readonly fallback?: string;
};

/** Whether a value is a record of fields: an object, and no list. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Opens a record at a path ("" for the outermost); faults are added to the list given. */
export function readRecord(value: unknown, path: string, faults: string[]): RecordReader {
  const at = (name: string) => (path === "" ? name : name === "" ? path : `${path}.${name}`);
  const fault = (name: string, why: string) => void faults.push(`${at(name)} ${why}`.trim());
  if (!isRecord(value)) fault("", "must be a record of fields");
  const record = isRecord(value) ? value : {};
  const unread = new Set(Object.keys(record));
  const take = (name: string): unknown => {
    unread.delete(name);
    return Object.hasOwn(record, name) ? (record[name] ?? undefined) : undefined;
  };
  return {
    text(name, { pattern, expected, fallback }) {
      const found = take(name);
      if (found === undefined && fallback !== undefined) return fallback;
      if (typeof found === "string" && pattern.test(found)) return found;
      fault(name, found === undefined ? "is missing" : `must be ${expected}, not ${show(found)}`);
      return "";
    },
    decimal(name, { most, required }) {
      const found = take(name);
      if (found === undefined) {
        if (required) fault(name, "is missing");
        return undefined;
      }
      const decimal = readDecimal(found);
      if (decimal === undefined) fault(name, `must be ${decimalExpected}, not ${show(found)}`);
      else if (new ExactDecimal(decimal).gt(most)) {
        fault(name, `must be at most ${most}, not ${decimal}: is it given for another unit?`);
      }
      return decimal;
    },
    count(name, { least, fallback }) {
      const found = take(name);
      if (found === undefined && fallback !== undefined) return fallback;
      if (typeof found === "number" && Number.isSafeInteger(found) && found >= least) return found;
      const expected = `must be a whole number from ${least} up, not ${show(found)}`;
      fault(name, found === undefined ? "is missing" : expected);
      return least;
    },
    list(name, most) {
      const found = take(name);
      if (found === undefined) return [];
      if (Array.isArray(found) && found.length <= most) return found;
      fault(name, `must be a list of at most ${most}`);
      return [];
    },
    value: take,
    fault,
    refuseUnknown() {
      for (const name of unread) fault(name, "is not a known field");
    },
  };
}

const decimalExpected =
  "a plain decimal in quotes with at most 20 decimals, neither negative nor in exponent notation";

/** A value as a fault shows it: what it is, cut short. */
function show(value: unknown): string {
  if (typeof value === "object") return Array.isArray(value) ? "a list" : "a record";
  return typeof value === "string"
    ? JSON.stringify(value.slice(0, 40))
    : String(value).slice(0, 40);
}
