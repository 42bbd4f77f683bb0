import { noUsage } from "@farebox/pricing/usage";
import type { BilledCall } from "../src/interceptor/billed-call.ts";
import {
  encodeUsageItem,
  type ItemHead,
  type ItemTail,
} from "../src/interceptor/item/encode-usage-item.ts";
import { compiledPrice } from "./price.ts";

/** A call of a demo model that may cost up to a million nanos. */
export function demoCall(overrides: Partial<BilledCall> = {}): BilledCall {
  return {
    service: "llm",
    requestId: "req-1",
    claimSha256: undefined,
    attempt: 1,
    provider: "demo",
    model: "demo-1",
    price: compiledPrice,
    snapshotId: Buffer.alloc(16, 7),
    worstCaseNanos: 1_000_000n,
    minimumNanos: 10_000n,
    worstCaseUnits: 1000,
    startTimeMs: 1_800_000_000_000,
    tags: [],
    ...overrides,
  };
}

/** The n-th attempt of account "acc". */
export function demoHead(n: number): ItemHead {
  const id = Buffer.alloc(16);
  id.writeUInt32BE(n, 12);
  return {
    id,
    caller: { accountId: "acc", apiKeyId: "key", userId: "" },
    call: demoCall(),
    leaseId: Buffer.alloc(16, 9),
    isClaimed: false,
  };
}

/** An end that cost so much. */
export function demoTail(costNanos: bigint, state = 1): ItemTail {
  return {
    usage: noUsage,
    usageSource: 1,
    state,
    httpStatus: 200,
    costNanos,
    freeUnits: 0,
    providerCostNanos: undefined,
    upstreamId: "",
    latencyMs: 1,
    timeToFirstTokenMs: undefined,
    errorCode: 0,
  };
}

/** Encodes an item into a buffer of its own. */
export function encodedItem(head: ItemHead, tail: ItemTail): Buffer {
  const bytes = Buffer.alloc(4096);
  return bytes.subarray(0, encodeUsageItem(bytes, 0, head, tail));
}
