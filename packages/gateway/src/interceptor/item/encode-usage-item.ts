import type { Usage } from "@farebox/pricing/usage";
import type { BilledCall, BilledCaller } from "../billed-call.ts";
import {
  writeBytes,
  writeCount,
  writeNanos,
  writeNanosAlways,
  writeText,
  writeTextAlways,
  writeVarint,
} from "./proto-bytes.ts";

/** The part of an item that is known when the call is admitted. */
export type ItemHead = {
  /** The attempt's UUIDv7, 16 bytes. */
  readonly id: Buffer;
  readonly caller: BilledCaller;
  readonly call: BilledCall;
  /** The 16 bytes of the lease; empty for none. */
  readonly leaseId: Buffer;
  readonly isClaimed: boolean;
};

/** The part that is known when the attempt ends, or so far. Enums are the contract's numbers. */
export type ItemTail = {
  readonly usage: Usage;
  readonly usageSource: number;
  readonly state: number;
  readonly httpStatus: number;
  readonly costNanos: bigint;
  readonly freeUnits: number;
  readonly providerCostNanos: bigint | undefined;
  readonly upstreamId: string;
  readonly latencyMs: number;
  readonly timeToFirstTokenMs: number | undefined;
  readonly errorCode: number;
};

/**
 * Encodes a `UsageItem` at `at`, byte for byte as protobuf-es would, and returns the end. Written by hand because it runs
 * twice a call: these bytes are what the journal keeps and, unchanged, what the settlement stream carries.
 */
export function encodeUsageItem(bytes: Buffer, at: number, head: ItemHead, tail: ItemTail): number {
  return encodeItemTail(bytes, encodeItemHead(bytes, at, head), head, tail);
}

/** Encodes the fields that never change in a call: the same bytes begin its intent, its checkpoints and its outcome. */
export function encodeItemHead(bytes: Buffer, at: number, head: ItemHead): number {
  const { call, caller } = head;
  let next = writeBytes(bytes, at, tagId, head.id);
  next = writeText(bytes, next, tagAccountId, caller.accountId);
  next = writeBytes(bytes, next, tagLeaseId, head.leaseId);
  next = writeText(bytes, next, tagRequestId, call.requestId);
  next = writeCount(bytes, next, tagAttempt, call.attempt);
  next = writeText(bytes, next, tagService, call.service);
  next = writeText(bytes, next, tagProvider, call.provider);
  next = writeText(bytes, next, tagModel, call.model);
  next = writeText(bytes, next, tagApiKeyId, caller.apiKeyId);
  return writeText(bytes, next, tagUserId, caller.userId);
}

/** Encodes the fields that follow those of the head. */
export function encodeItemTail(bytes: Buffer, at: number, head: ItemHead, tail: ItemTail): number {
  const { call } = head;
  let next = writeUsage(bytes, at, tail.usage);
  next = writeCount(bytes, next, tagUsageSource, tail.usageSource);
  next = writeCount(bytes, next, tagState, tail.state);
  next = writeCount(bytes, next, tagHttpStatus, tail.httpStatus);
  next = writeNanos(bytes, next, tagCostNanos, tail.costNanos);
  next = writeBytes(bytes, next, tagPriceSnapshotId, call.snapshotId);
  if (tail.providerCostNanos !== undefined) {
    next = writeNanosAlways(bytes, next, tagProviderCostNanos, tail.providerCostNanos);
  }
  next = writeCount(bytes, next, tagFreeUnits, tail.freeUnits);
  next = writeText(bytes, next, tagUpstreamId, tail.upstreamId);
  next = writeCount(bytes, next, tagStartTimeMs, call.startTimeMs);
  next = writeCount(bytes, next, tagLatencyMs, tail.latencyMs);
  if (tail.timeToFirstTokenMs !== undefined) {
    next = writeVarint(bytes, next, tagTimeToFirstTokenMs);
    next = writeVarint(bytes, next, tail.timeToFirstTokenMs);
  }
  for (const tag of call.tags) next = writeTextAlways(bytes, next, tagTags, tag);
  next = writeCount(bytes, next, tagErrorCode, tail.errorCode);
  return head.isClaimed ? writeCount(bytes, next, tagClaimed, 1) : next;
}

/** A bound on what `encodeUsageItem` writes, without encoding. */
export function usageItemBytesMax(head: ItemHead, tail: ItemTail): number {
  const { call, caller } = head;
  let units =
    caller.accountId.length +
    caller.apiKeyId.length +
    caller.userId.length +
    call.requestId.length +
    call.service.length +
    call.provider.length +
    call.model.length +
    tail.upstreamId.length;
  for (const tag of call.tags) units += tag.length + tagOverheadBytes;
  return units * utf8BytesPerUnitMax + fixedBytesMax;
}

function writeUsage(bytes: Buffer, at: number, usage: Usage): number {
  // The length is patched in afterwards: ten counts of at most nine bytes always fit one length byte.
  const from = writeVarint(bytes, at, tagUsage) + 1;
  let next = writeCount(bytes, from, 1 << 3, usage.inputTokens);
  next = writeCount(bytes, next, 2 << 3, usage.outputTokens);
  next = writeCount(bytes, next, 3 << 3, usage.cacheReadTokens);
  next = writeCount(bytes, next, 4 << 3, usage.cacheWriteTokens);
  next = writeCount(bytes, next, 5 << 3, usage.reasoningTokens);
  next = writeCount(bytes, next, 6 << 3, usage.cacheWrite1hTokens);
  next = writeCount(bytes, next, 7 << 3, usage.audioInputTokens);
  next = writeCount(bytes, next, 8 << 3, usage.audioOutputTokens);
  next = writeCount(bytes, next, 9 << 3, usage.images);
  next = writeCount(bytes, next, 10 << 3, usage.requests);
  bytes[from - 1] = next - from;
  return next;
}

const varintType = 0;
const bytesType = 2;
const tagId = (1 << 3) | bytesType;
const tagAccountId = (2 << 3) | bytesType;
const tagLeaseId = (3 << 3) | bytesType;
const tagRequestId = (4 << 3) | bytesType;
const tagAttempt = (5 << 3) | varintType;
const tagService = (6 << 3) | bytesType;
const tagProvider = (7 << 3) | bytesType;
const tagModel = (8 << 3) | bytesType;
const tagApiKeyId = (9 << 3) | bytesType;
const tagUserId = (10 << 3) | bytesType;
const tagUsage = (11 << 3) | bytesType;
const tagUsageSource = (12 << 3) | varintType;
const tagState = (13 << 3) | varintType;
const tagHttpStatus = (14 << 3) | varintType;
const tagCostNanos = (15 << 3) | varintType;
const tagPriceSnapshotId = (16 << 3) | bytesType;
const tagProviderCostNanos = (17 << 3) | varintType;
const tagFreeUnits = (18 << 3) | varintType;
const tagUpstreamId = (19 << 3) | bytesType;
const tagStartTimeMs = (20 << 3) | varintType;
const tagLatencyMs = (21 << 3) | varintType;
const tagTimeToFirstTokenMs = (22 << 3) | varintType;
const tagTags = (23 << 3) | bytesType;
const tagErrorCode = (24 << 3) | varintType;
const tagClaimed = (25 << 3) | varintType;

const utf8BytesPerUnitMax = 3;
const tagOverheadBytes = 4;
/** Three 16-byte ids, the usage, every number, and the tags and lengths of all fields. */
const fixedBytesMax = 400;
