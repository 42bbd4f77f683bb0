import type { Pool, PoolConnection } from "./mysql.ts";

/** Anything that statements can be sent to. */
export type Queryable = Pick<Pool | PoolConnection, "query">;

/** An id's 32 hex digits as its column holds it. */
export function toBytes(hex: string): Buffer {
  return Buffer.from(hex, "hex");
}

/** An instant as DATETIME(3) spells it, in UTC; NULL for none. */
export function toTime(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString().slice(0, 23).replace("T", " ");
}

/** Reads an instant from `CAST(column AS CHAR)`: what the driver makes of a DATETIME depends on its settings. */
export function readTime(text: string | null): number | undefined {
  return text === null ? undefined : Date.parse(`${text.replace(" ", "T")}Z`);
}

/** The word of a column, which only its own service writes. Throws for a word that is not of the list. */
export function oneOf<const Word extends string>(words: readonly Word[], text: string): Word {
  const word = words.find((it) => it === text);
  if (word === undefined) throw new Error(`unknown word ${text}`);
  return word;
}
