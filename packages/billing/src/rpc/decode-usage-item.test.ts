import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import {
  SettleUsageRequestSchema,
  SettleUsageResponseSchema,
} from "@farebox/proto/farebox/billing/v1/billing_service";
import {
  SettleStatus,
  type UsageItem,
  UsageItemSchema,
  UsageSchema,
} from "@farebox/proto/farebox/billing/v1/usage";
import fc from "fast-check";
import type { DecodedItem } from "../domain/usage-item.ts";
import { createItemDecoder } from "./decode-usage-item.ts";
import { MalformedMessageError } from "./proto-cursor.ts";
import { createSettleCodec } from "./settle-codec.ts";

const int64 = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.bigInt({ min: -300n, max: 300n }),
  fc.bigInt({ min: 0n, max: 2n ** 53n - 1n }),
);
const int32 = fc.oneof(fc.integer(), fc.integer({ min: 0, max: 10 }));
const text = fc.oneof(fc.string({ unit: "binary", maxLength: 80 }), fc.string({ maxLength: 12 }));
const bytes = fc.uint8Array({ maxLength: 20 });

const usage = fc.record({
  inputTokens: int64,
  outputTokens: int64,
  cacheReadTokens: int64,
  cacheWriteTokens: int64,
  reasoningTokens: int64,
  cacheWrite1hTokens: int64,
  audioInputTokens: int64,
  audioOutputTokens: int64,
  images: int64,
  requests: int64,
});

const item = fc
  .record({
    id: bytes,
    accountId: text,
    leaseId: bytes,
    requestId: text,
    attempt: int32,
    service: text,
    provider: text,
    model: text,
    apiKeyId: text,
    userId: text,
    usage: fc.option(usage, { nil: undefined }),
    usageSource: int32,
    state: int32,
    httpStatus: int32,
    costNanos: int64,
    priceSnapshotId: bytes,
    providerCostNanos: fc.option(int64, { nil: undefined }),
    freeUnits: int64,
    upstreamId: text,
    startTimeMs: int64,
    latencyMs: int64,
    timeToFirstTokenMs: fc.option(int64, { nil: undefined }),
    tags: fc.array(text, { maxLength: 4 }),
    errorCode: int32,
    claimed: fc.boolean(),
  })
  .map(({ usage: counts, providerCostNanos, timeToFirstTokenMs, usageSource, state, ...rest }) => {
    // Enums may come with numbers that this release does not know.
    const message = Object.assign(create(UsageItemSchema, rest), { usageSource, state });
    if (counts !== undefined) message.usage = create(UsageSchema, counts);
    if (providerCostNanos !== undefined) message.providerCostNanos = providerCostNanos;
    if (timeToFirstTokenMs !== undefined) message.timeToFirstTokenMs = timeToFirstTokenMs;
    return message;
  });

/** What the hand-written decoder must make of a message, said with protobuf-es. */
function expected(message: UsageItem, encoded: Uint8Array): DecodedItem {
  const hex = (id: Uint8Array) => Buffer.from(id).toString("hex");
  const counts = message.usage;
  return {
    id: hex(message.id),
    accountId: message.accountId,
    leaseId: hex(message.leaseId),
    requestId: message.requestId,
    attempt: message.attempt,
    service: message.service,
    provider: message.provider,
    model: message.model,
    apiKeyId: message.apiKeyId,
    userId: message.userId,
    usage: {
      inputTokens: Number(counts?.inputTokens ?? 0),
      cacheReadTokens: Number(counts?.cacheReadTokens ?? 0),
      cacheWriteTokens: Number(counts?.cacheWriteTokens ?? 0),
      cacheWrite1hTokens: Number(counts?.cacheWrite1hTokens ?? 0),
      audioInputTokens: Number(counts?.audioInputTokens ?? 0),
      outputTokens: Number(counts?.outputTokens ?? 0),
      reasoningTokens: Number(counts?.reasoningTokens ?? 0),
      audioOutputTokens: Number(counts?.audioOutputTokens ?? 0),
      images: Number(counts?.images ?? 0),
      requests: Number(counts?.requests ?? 0),
    },
    usageSource: message.usageSource,
    state: message.state,
    httpStatus: message.httpStatus,
    costNanos: message.costNanos,
    priceSnapshotId: hex(message.priceSnapshotId),
    providerCostNanos: message.providerCostNanos,
    freeUnits: Number(message.freeUnits),
    upstreamId: message.upstreamId,
    startTimeMs: Number(message.startTimeMs),
    latencyMs: Number(message.latencyMs),
    timeToFirstTokenMs:
      message.timeToFirstTokenMs === undefined ? undefined : Number(message.timeToFirstTokenMs),
    tags: message.tags,
    errorCode: message.errorCode,
    claimed: message.claimed,
    encoded: Buffer.from(encoded),
  };
}

/** Numbers beyond 2^53 may differ in their last digits, and in nothing else. */
function rounded(decoded: DecodedItem): DecodedItem {
  const round = (value: number) =>
    Number.isSafeInteger(value) ? value : Number(value.toPrecision(14));
  const record = { ...decoded, freeUnits: round(decoded.freeUnits) };
  const times = {
    startTimeMs: round(decoded.startTimeMs),
    latencyMs: round(decoded.latencyMs),
    timeToFirstTokenMs:
      decoded.timeToFirstTokenMs === undefined ? undefined : round(decoded.timeToFirstTokenMs),
  };
  const counts = Object.entries(decoded.usage).map(([name, value]) => [name, round(value)]);
  return { ...record, ...times, usage: { ...decoded.usage, ...Object.fromEntries(counts) } };
}

/** A well-formed field of a number that no version of UsageItem has. */
const unknownField = fc
  .tuple(
    fc.integer({ min: 100, max: 536_870_911 }),
    fc.constantFrom(WireType.Varint, WireType.Bit64, WireType.LengthDelimited, WireType.Bit32),
    fc.uint8Array({ maxLength: 200 }),
  )
  .map(([field, type, content]) => {
    const writer = new BinaryWriter().tag(field, type);
    if (type === WireType.Varint) writer.int64(-7n);
    else if (type === WireType.Bit64) writer.fixed64(7n);
    else if (type === WireType.Bit32) writer.fixed32(7);
    else writer.bytes(content);
    return writer.finish();
  });

test("decodes every item as protobuf-es does", () => {
  const decode = createItemDecoder();
  fc.assert(
    fc.property(item, (message) => {
      const encoded = toBinary(UsageItemSchema, message);
      // Through protobuf-es and back, so that a lone surrogate is what it is on the wire.
      const wire = fromBinary(UsageItemSchema, encoded);
      assert.deepEqual(rounded(decode(encoded)), rounded(expected(wire, encoded)));
    }),
    { numRuns: 2000 },
  );
});

test("passes over fields that it does not know, wherever they stand", () => {
  const decode = createItemDecoder();
  fc.assert(
    fc.property(item, unknownField, unknownField, (message, before, after) => {
      const encoded = toBinary(UsageItemSchema, message, { writeUnknownFields: false });
      const wire = fromBinary(UsageItemSchema, encoded);
      const padded = Buffer.concat([before, encoded, after]);
      assert.deepEqual(rounded(decode(padded)), rounded(expected(wire, padded)));
    }),
  );
});

test("refuses whatever protobuf-es refuses when a message is cut short, with a typed error", () => {
  const decode = createItemDecoder();
  fc.assert(
    fc.property(item, fc.nat(), (message, cut) => {
      const encoded = toBinary(UsageItemSchema, message);
      const short = encoded.subarray(0, encoded.length === 0 ? 0 : cut % encoded.length);
      let isRefused = false;
      try {
        fromBinary(UsageItemSchema, short);
      } catch {
        isRefused = true;
      }
      if (isRefused) assert.throws(() => decode(short), MalformedMessageError);
      else decode(short);
    }),
    { numRuns: 2000 },
  );
});

test("never fails but with a typed error, and ends, on any bytes", () => {
  const decode = createItemDecoder();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (garbage) => {
      try {
        decode(garbage);
      } catch (error) {
        assert(error instanceof MalformedMessageError);
      }
    }),
    { numRuns: 5000 },
  );
});

test("keeps small negative numbers negative, so that they are refused by name", () => {
  const decode = createItemDecoder();
  for (const value of [-1n, -2n, -127n, -128n, -(2n ** 31n), -(2n ** 53n) + 1n]) {
    const message = create(UsageItemSchema, { freeUnits: value, costNanos: value });
    const decoded = decode(toBinary(UsageItemSchema, message));
    assert.deepEqual([decoded.freeUnits, decoded.costNanos], [Number(value), value]);
  }
});

test("reads a batch in one go, and every other message as protobuf-es does", () => {
  const codec = createSettleCodec();
  fc.assert(
    fc.property(fc.array(item, { maxLength: 5 }), int64, (items, sequence) => {
      const request = create(SettleUsageRequestSchema, {
        message: { case: "batch", value: { sequence, items } },
      });
      const encoded = toBinary(SettleUsageRequestSchema, request);
      const decoded = codec.decodeRequest(encoded);
      const read = fromBinary(SettleUsageRequestSchema, encoded);
      assert(decoded.message.case === "batch" && read.message.case === "batch");
      assert.equal(decoded.message.value.sequence, sequence);
      assert.deepEqual(
        codec.itemsOf(decoded.message.value.items).map(rounded),
        codec.itemsOf(read.message.value.items).map(rounded),
      );
    }),
  );
  const renew = create(SettleUsageRequestSchema, {
    message: { case: "renew", value: { sequence: 7n } },
  });
  assert.deepEqual(codec.decodeRequest(toBinary(SettleUsageRequestSchema, renew)), renew);
  assert.throws(() => codec.decodeRequest(Buffer.from("1205ff", "hex")), /INVALID_ARGUMENT/);
});

test("writes acknowledgements as protobuf-es does", () => {
  const codec = createSettleCodec();
  const status = fc.constantFrom(
    SettleStatus.APPLIED,
    SettleStatus.DUPLICATE,
    SettleStatus.LATE,
    SettleStatus.DEAD_LETTERED,
  );
  fc.assert(
    fc.property(fc.array(status, { maxLength: 200 }), int64, (statuses, sequence) => {
      const response = create(SettleUsageResponseSchema, {
        message: { case: "acknowledgement", value: { sequence, statuses } },
      });
      const encoded = codec.encodeResponse(response);
      assert.deepEqual(
        Buffer.from(encoded),
        Buffer.from(toBinary(SettleUsageResponseSchema, response)),
      );
    }),
  );
});
