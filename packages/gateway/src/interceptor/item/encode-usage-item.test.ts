import assert from "node:assert/strict";
import test from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import {
  AttemptState,
  UsageItemSchema,
  UsageSource,
} from "@farebox/proto/farebox/billing/v1/usage";
import fc from "fast-check";
import { compiledPrice } from "../../../testing/price.ts";
import {
  encodeUsageItem,
  type ItemHead,
  type ItemTail,
  usageItemBytesMax,
} from "./encode-usage-item.ts";

const count = fc.oneof(
  fc.constant(0),
  fc.nat(),
  fc.integer({ min: 0, max: 1e12 }),
  fc.maxSafeNat(),
);
const text = fc.oneof(
  fc.constant(""),
  fc.string({ maxLength: 130, unit: "grapheme" }),
  fc.string({ minLength: 40, maxLength: 44, unit: "binary" }),
);
const id = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes));
const maybeId = fc.oneof(id, fc.constant(Buffer.alloc(0)));
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

const head: fc.Arbitrary<ItemHead> = fc.record({
  id,
  leaseId: maybeId,
  isClaimed: fc.boolean(),
  caller: fc.record({ accountId: text, apiKeyId: text, userId: text }),
  call: fc.record({
    service: text,
    requestId: text,
    claimSha256: fc.constant(undefined),
    attempt: fc.nat(),
    provider: text,
    model: text,
    price: fc.constant(compiledPrice),
    snapshotId: maybeId,
    worstCaseNanos: fc.constant(0n),
    minimumNanos: fc.constant(0n),
    worstCaseUnits: fc.constant(0),
    startTimeMs: count,
    tags: fc.array(text, { maxLength: 16 }),
  }),
});

const tail: fc.Arbitrary<ItemTail> = fc.record({
  usage: fc.record({
    inputTokens: count,
    outputTokens: count,
    cacheReadTokens: count,
    cacheWriteTokens: count,
    cacheWrite1hTokens: count,
    reasoningTokens: count,
    audioInputTokens: count,
    audioOutputTokens: count,
    images: count,
    requests: count,
  }),
  usageSource: fc.constantFrom(...numbersOf(UsageSource)),
  state: fc.constantFrom(...numbersOf(AttemptState)),
  httpStatus: fc.nat({ max: 599 }),
  costNanos: int64,
  freeUnits: count,
  providerCostNanos: fc.option(int64, { nil: undefined }),
  upstreamId: text,
  latencyMs: count,
  timeToFirstTokenMs: fc.option(count, { nil: undefined }),
  errorCode: fc.nat({ max: 50_000 }),
});

test("an item is the very bytes that protobuf-es would write", () => {
  fc.assert(
    fc.property(head, tail, fc.nat({ max: 40 }), (itemHead, itemTail, at) => {
      const room = usageItemBytesMax(itemHead, itemTail);
      const bytes = Buffer.alloc(at + room, 0xaa);
      const end = encodeUsageItem(bytes, at, itemHead, itemTail);
      assert.ok(end - at <= room, "the bound holds");
      assert.deepEqual(bytes.subarray(at, end), Buffer.from(asProtobufEs(itemHead, itemTail)));
    }),
    { numRuns: 2000 },
  );
});

function asProtobufEs({ id: itemId, leaseId, isClaimed, caller, call }: ItemHead, tail: ItemTail) {
  const usage = Object.fromEntries(
    Object.entries(tail.usage).map(([name, value]) => [name, BigInt(value)]),
  );
  const item = create(UsageItemSchema, {
    id: itemId,
    accountId: caller.accountId,
    leaseId,
    requestId: call.requestId,
    attempt: call.attempt,
    service: call.service,
    provider: call.provider,
    model: call.model,
    apiKeyId: caller.apiKeyId,
    userId: caller.userId,
    usage,
    httpStatus: tail.httpStatus,
    costNanos: tail.costNanos,
    priceSnapshotId: call.snapshotId,
    freeUnits: BigInt(tail.freeUnits),
    upstreamId: tail.upstreamId,
    startTimeMs: BigInt(call.startTimeMs),
    latencyMs: BigInt(tail.latencyMs),
    tags: [...call.tags],
    errorCode: tail.errorCode,
    claimed: isClaimed,
  });
  // The encoder takes numbers where the message has enums.
  Object.assign(item, { usageSource: tail.usageSource, state: tail.state });
  if (tail.providerCostNanos !== undefined) item.providerCostNanos = tail.providerCostNanos;
  if (tail.timeToFirstTokenMs !== undefined) {
    item.timeToFirstTokenMs = BigInt(tail.timeToFirstTokenMs);
  }
  return toBinary(UsageItemSchema, item);
}

function numbersOf(values: Readonly<Record<string, string | number>>): readonly number[] {
  return Object.values(values).filter((value) => typeof value === "number");
}
