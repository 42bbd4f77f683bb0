import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { AppError } from "./app-error.ts";

/** Where a page ended: the keyset of its last row, as the store wrote it. */
export type PageCursor = readonly (string | number)[];

/** Writes and reads page tokens: opaque, signed, bound to the query they came from. */
export type PageTokens = {
  /** A token for the page after `cursor`. `query` is everything that selects and orders rows, except page size and token. */
  write(query: unknown, cursor: PageCursor): string;
  /** The cursor, or undefined for the first page (an empty token). Throws PAGE_TOKEN_INVALID for any other text. */
  read(query: unknown, token: string): PageCursor | undefined;
};

/** Which page of a list is asked for: 0 rows for 50, more than 500 for 500; an empty token for the first page. */
export type PageRequest = { readonly pageSize: number; readonly pageToken: string };
/** A part of a list, and how to ask for the next; empty at the end. */
export type Page<T> = { readonly rows: readonly T[]; readonly nextPageToken: string };

const pageSizeDefault = 50;
const pageSizeMax = 500;

/** Reads a page of a list that one key orders. Throws PAGE_TOKEN_INVALID. */
export async function pageOf<T>(
  tokens: PageTokens,
  query: object,
  { pageSize, pageToken }: PageRequest,
  by: {
    /** At most `limit` rows after the one of that key, in order. */
    readonly read: (after: string | undefined, limit: number) => Promise<readonly T[]>;
    readonly keyOf: (row: T) => string;
  },
): Promise<Page<T>> {
  const cursor = tokens.read(query, pageToken);
  const limit = pageSize === 0 ? pageSizeDefault : Math.min(pageSize, pageSizeMax);
  const read = await by.read(cursor === undefined ? undefined : String(cursor[0]), limit + 1);
  const rows = read.slice(0, limit);
  const last = rows.at(-1);
  const hasNext = read.length > limit && last !== undefined;
  return { rows, nextPageToken: hasNext ? tokens.write(query, [by.keyOf(last)]) : "" };
}

const signatureBytes = 16;
const tokenCharsMax = 2048;

/** Makes the tokens of one installation. Several keys allow rotation: the first signs, every one verifies. */
export function createPageTokens(keys: readonly string[]): PageTokens {
  const [signingKey] = keys;
  if (signingKey === undefined || keys.some((key) => key.length < 16)) {
    throw new Error("page tokens need at least one key, each of 16 characters or more");
  }
  return {
    write: (query, cursor) => {
      const payload = Buffer.from(JSON.stringify(cursor), "utf8");
      return Buffer.concat([sign(signingKey, query, payload), payload]).toString("base64url");
    },
    read: (query, token) => {
      if (token === "") return undefined;
      const cursor = open(keys, query, token);
      if (cursor === undefined) {
        throw new AppError("PAGE_TOKEN_INVALID", undefined, { metadata: { field: "page_token" } });
      }
      return cursor;
    },
  };
}

function open(keys: readonly string[], query: unknown, token: string): PageCursor | undefined {
  if (token.length > tokenCharsMax) return undefined;
  const bytes = Buffer.from(token, "base64url");
  if (bytes.length <= signatureBytes || bytes.toString("base64url") !== token) return undefined;
  const signature = bytes.subarray(0, signatureBytes);
  const payload = bytes.subarray(signatureBytes);
  if (!keys.some((key) => timingSafeEqual(sign(key, query, payload), signature))) return undefined;
  const cursor: unknown = JSON.parse(payload.toString("utf8"));
  return isCursor(cursor) ? cursor : undefined;
}

function sign(key: string, query: unknown, payload: Buffer): Buffer {
  const queryHash = createHash("sha256").update(canonical(query)).digest();
  const mac = createHmac("sha256", key).update(queryHash).update(payload).digest();
  return mac.subarray(0, signatureBytes);
}

function isCursor(value: unknown): value is PageCursor {
  return (
    Array.isArray(value) &&
    value.every((part) => typeof part === "string" || typeof part === "number")
  );
}

/** JSON with sorted keys, so that equal queries hash alike however they were put together. */
function canonical(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  if (value instanceof Uint8Array) return `"${Buffer.from(value).toString("hex")}"`;
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value)
      .filter(([, part]) => part !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([key, part]) => `${JSON.stringify(key)}:${canonical(part)}`).join(",")}}`;
  }
  return JSON.stringify(value) ?? "null";
}
