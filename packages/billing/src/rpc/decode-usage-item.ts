import type { DecodedItem } from "../domain/usage-item.ts";
import {
  MalformedMessageError,
  openCursor,
  type ProtoCursor,
  readHex,
  readInt32,
  readInt64,
  readInt64Number,
  readLength,
  readTag,
  readText,
  skipField,
} from "./proto-cursor.ts";
import { createHexCache, createTextCache, type TextCache } from "./text-cache.ts";

/** Decodes one UsageItem. Throws a MalformedMessageError for bytes that are none. */
export type DecodeItem = (encoded: Uint8Array) => DecodedItem;

/**
 * Makes a decoder of UsageItem, by hand: what protobuf-es makes of a message costs more than all of settling it. It
 * agrees with protobuf-es on every valid message; it passes over fields that it does not know.
 */
export function createItemDecoder(): DecodeItem {
  const caches = createItemCaches();
  return (encoded) => {
    const cursor = openCursor(encoded);
    return readItem(cursor, cursor.end, caches);
  };
}

/** What a decoder remembers from item to item. */
export type ItemCaches = { readonly texts: TextCache; readonly ids: TextCache };

/** Makes empty ones. */
export function createItemCaches(): ItemCaches {
  return { texts: createTextCache(), ids: createHexCache() };
}

/** Reads the item that ends at `end`, and stands there afterwards. */
export function readItem(cursor: ProtoCursor, end: number, caches: ItemCaches): DecodedItem {
  const start = cursor.at;
  const outerEnd = cursor.end;
  cursor.end = end;
  const item = emptyItem();
  while (cursor.at < end) readField(cursor, item, caches);
  if (cursor.at !== end) throw new MalformedMessageError("cut short");
  cursor.end = outerEnd;
  item.encoded = cursor.bytes.subarray(start, end);
  return item;
}

type Mutable<T> = { -readonly [name in keyof T]: T[name] };
type OpenUsage = Mutable<DecodedItem["usage"]>;
type OpenItem = Mutable<Omit<DecodedItem, "usage" | "tags">> & {
  readonly usage: OpenUsage;
  tags: string[];
};

/** Tags of UsageItem's fields: number times 8, plus wire type. */
function readField(cursor: ProtoCursor, item: OpenItem, caches: ItemCaches): void {
  const tag = readTag(cursor);
  switch (tag) {
    case 0x0a:
      item.id = readHex(cursor);
      return;
    case 0x12:
      item.accountId = caches.texts.read(cursor);
      return;
    case 0x1a:
      item.leaseId = caches.ids.read(cursor);
      return;
    case 0x22:
      item.requestId = readText(cursor);
      return;
    case 0x28:
      item.attempt = readInt32(cursor);
      return;
    case 0x32:
      item.service = caches.texts.read(cursor);
      return;
    case 0x3a:
      item.provider = caches.texts.read(cursor);
      return;
    case 0x42:
      item.model = caches.texts.read(cursor);
      return;
    case 0x4a:
      item.apiKeyId = caches.texts.read(cursor);
      return;
    case 0x52:
      item.userId = caches.texts.read(cursor);
      return;
    case 0x5a:
      readUsage(cursor, item.usage);
      return;
    case 0x60:
      item.usageSource = readInt32(cursor);
      return;
    case 0x68:
      item.state = readInt32(cursor);
      return;
    case 0x70:
      item.httpStatus = readInt32(cursor);
      return;
    case 0x78:
      item.costNanos = readInt64(cursor);
      return;
    default:
      readLaterField(cursor, item, tag, caches);
  }
}

/** Fields from number 16, whose tags take two bytes. */
function readLaterField(
  cursor: ProtoCursor,
  item: OpenItem,
  tag: number,
  caches: ItemCaches,
): void {
  switch (tag) {
    case 0x82:
      item.priceSnapshotId = caches.ids.read(cursor);
      return;
    case 0x88:
      item.providerCostNanos = readInt64(cursor);
      return;
    case 0x90:
      item.freeUnits = readInt64Number(cursor);
      return;
    case 0x9a:
      item.upstreamId = readText(cursor);
      return;
    case 0xa0:
      item.startTimeMs = readInt64Number(cursor);
      return;
    case 0xa8:
      item.latencyMs = readInt64Number(cursor);
      return;
    case 0xb0:
      item.timeToFirstTokenMs = readInt64Number(cursor);
      return;
    case 0xba:
      // The shared empty list must not grow.
      if (item.tags.length === 0) item.tags = [readText(cursor)];
      else item.tags.push(readText(cursor));
      return;
    case 0xc0:
      item.errorCode = readInt32(cursor);
      return;
    case 0xc8:
      item.claimed = readInt64Number(cursor) !== 0;
      return;
    default:
      skipKnownOrNot(cursor, tag);
  }
}

function readUsage(cursor: ProtoCursor, usage: OpenUsage): void {
  const length = readLength(cursor);
  const outerEnd = cursor.end;
  const end = cursor.at + length;
  cursor.end = end;
  while (cursor.at < end) readBucket(cursor, usage);
  if (cursor.at !== end) throw new MalformedMessageError("cut short");
  cursor.end = outerEnd;
}

function readBucket(cursor: ProtoCursor, usage: OpenUsage): void {
  const tag = readTag(cursor);
  switch (tag) {
    case 0x08:
      usage.inputTokens = readInt64Number(cursor);
      return;
    case 0x10:
      usage.outputTokens = readInt64Number(cursor);
      return;
    case 0x18:
      usage.cacheReadTokens = readInt64Number(cursor);
      return;
    case 0x20:
      usage.cacheWriteTokens = readInt64Number(cursor);
      return;
    case 0x28:
      usage.reasoningTokens = readInt64Number(cursor);
      return;
    case 0x30:
      usage.cacheWrite1hTokens = readInt64Number(cursor);
      return;
    case 0x38:
      usage.audioInputTokens = readInt64Number(cursor);
      return;
    case 0x40:
      usage.audioOutputTokens = readInt64Number(cursor);
      return;
    case 0x48:
      usage.images = readInt64Number(cursor);
      return;
    case 0x50:
      usage.requests = readInt64Number(cursor);
      return;
    default:
      skipKnownOrNot(cursor, tag);
  }
}

/** A known field of another wire type is as unknown as any. */
function skipKnownOrNot(cursor: ProtoCursor, tag: number): void {
  if (tag >>> 3 === 0) throw new MalformedMessageError("a field without a number");
  skipField(cursor, tag);
}

const noTags: string[] = [];
const noBytes = new Uint8Array();

function emptyItem(): OpenItem {
  return {
    id: "",
    accountId: "",
    leaseId: "",
    requestId: "",
    attempt: 0,
    service: "",
    provider: "",
    model: "",
    apiKeyId: "",
    userId: "",
    usage: {
      inputTokens: 0,
      cacheReadTokens: 0,
      cacheWriteTokens: 0,
      cacheWrite1hTokens: 0,
      audioInputTokens: 0,
      outputTokens: 0,
      reasoningTokens: 0,
      audioOutputTokens: 0,
      images: 0,
      requests: 0,
    },
    usageSource: 0,
    state: 0,
    httpStatus: 0,
    costNanos: 0n,
    priceSnapshotId: "",
    providerCostNanos: undefined,
    freeUnits: 0,
    upstreamId: "",
    startTimeMs: 0,
    latencyMs: 0,
    timeToFirstTokenMs: undefined,
    tags: noTags,
    errorCode: 0,
    claimed: false,
    encoded: noBytes,
  };
}
