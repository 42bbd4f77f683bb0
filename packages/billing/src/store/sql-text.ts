import { escape as escapeText } from "mysql2";

/** A text as an SQL literal. Only quotes and backslashes mean anything inside one; the rest passes as it is. */
export function quoteText(text: string): string {
  return text.includes("'") || text.includes("\\") ? escapeText(text) : `'${text}'`;
}

/** Bytes, given as hex digits, as an SQL literal. */
export function quoteHex(hex: string): string {
  return `x'${hex}'`;
}

/** The same, where empty means NULL. */
export function quoteHexOrNull(hex: string): string {
  return hex === "" ? "NULL" : `x'${hex}'`;
}

/** An instant as the columns of DATETIME(3) spell it, in UTC: "2026-11-21 03:33:33.123". */
export function timeText(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 23).replace("T", " ");
}

/**
 * Makes a `timeText` that remembers the last second it spelled: the calls of a batch are of one second or two, and spelling
 * that anew for each costs more than several of its columns.
 */
export function createTimeSpeller(): (timeMs: number) => string {
  let spelledMs = Number.NaN;
  let spelled = "";
  return (timeMs) => {
    const ms = timeMs % 1000;
    if (timeMs - ms !== spelledMs) {
      spelledMs = timeMs - ms;
      spelled = timeText(spelledMs).slice(0, 20);
    }
    return `${spelled}${String(ms).padStart(3, "0")}`;
  };
}

/** An instant as an SQL literal. */
export function quoteTime(timeMs: number): string {
  return `'${timeText(timeMs)}'`;
}

/** The same, where undefined means NULL. */
export function quoteTimeOrNull(timeMs: number | undefined): string {
  return timeMs === undefined ? "NULL" : quoteTime(timeMs);
}

/** Reads an instant from `CAST(column AS CHAR)`: what the driver makes of a DATETIME depends on its settings. */
export function readTime(text: string): number {
  return Date.parse(`${text.replace(" ", "T")}Z`);
}
