import type { Nanos } from "@farebox/kit/money";
import { nanosMax } from "@farebox/kit/money";
import type { Usage } from "@farebox/pricing/usage";
import { isAccountId, isPrintable, isServiceName } from "./plain-text.ts";

/**
 * The outcome of one attempt, off the wire and not yet trusted. Ids are lower-case hex of whatever bytes arrived, empty
 * for none. Counts beyond 2^53 have lost digits, but are still as absurd as they were.
 */
export type DecodedItem = {
  readonly id: string;
  readonly accountId: string;
  readonly leaseId: string;
  readonly requestId: string;
  readonly attempt: number;
  readonly service: string;
  readonly provider: string;
  readonly model: string;
  readonly apiKeyId: string;
  readonly userId: string;
  readonly usage: Usage;
  readonly usageSource: number;
  readonly state: number;
  readonly httpStatus: number;
  readonly costNanos: Nanos;
  readonly priceSnapshotId: string;
  readonly providerCostNanos: Nanos | undefined;
  readonly freeUnits: number;
  readonly upstreamId: string;
  readonly startTimeMs: number;
  readonly latencyMs: number;
  readonly timeToFirstTokenMs: number | undefined;
  readonly tags: readonly string[];
  readonly errorCode: number;
  readonly claimed: boolean;
  /** The message as it arrived, kept for the dead letter; empty for items made here. */
  readonly encoded: Uint8Array;
};

/** The most of any one bucket, and the most free units, that one attempt may have. */
export const countMax = 1_000_000_000_000;

/** How far ahead of this machine's clock an id or a start may be. */
export const futureMsMax = 86_400_000;

/** The last millisecond that a DATETIME column holds. */
const timeMsMax = 253_402_300_799_999;

/**
 * Names the first field that breaks the contract's rules for a UsageItem, in proto naming; undefined for a sound item.
 * Written by hand because it runs for every call ever charged.
 */
export function checkItem(
  item: DecodedItem,
  clock: { readonly nowMs: number },
): string | undefined {
  const latestMs = clock.nowMs + futureMsMax;
  if (!isUuidV7(item.id) || idTimeMs(item.id) > latestMs) return "id";
  if (!isAccountId(item.accountId)) return "account_id";
  if (item.leaseId !== "" && item.leaseId.length !== 32) return "lease_id";
  if (item.requestId === "" || !isPrintable(item.requestId, 128)) return "request_id";
  if (!isWithin(item.attempt, 1_000_000)) return "attempt";
  if (!isServiceName(item.service)) return "service";
  if (item.provider === "" || !isPrintable(item.provider, 64)) return "provider";
  if (item.model === "" || item.model.length > 256) return "model";
  if (!isPrintable(item.apiKeyId, 64)) return "api_key_id";
  if (item.userId.length > 128) return "user_id";
  return checkUsage(item.usage) ?? checkCharge(item) ?? checkFacts(item, latestMs);
}

/** Names the first bucket that is no count from 0 to 10^12, in proto naming. */
export function checkUsage(usage: Usage): string | undefined {
  if (!isWithin(usage.inputTokens, countMax)) return "usage.input_tokens";
  if (!isWithin(usage.outputTokens, countMax)) return "usage.output_tokens";
  if (!isWithin(usage.cacheReadTokens, countMax)) return "usage.cache_read_tokens";
  if (!isWithin(usage.cacheWriteTokens, countMax)) return "usage.cache_write_tokens";
  if (!isWithin(usage.reasoningTokens, countMax)) return "usage.reasoning_tokens";
  if (!isWithin(usage.cacheWrite1hTokens, countMax)) return "usage.cache_write_1h_tokens";
  if (!isWithin(usage.audioInputTokens, countMax)) return "usage.audio_input_tokens";
  if (!isWithin(usage.audioOutputTokens, countMax)) return "usage.audio_output_tokens";
  if (!isWithin(usage.images, countMax)) return "usage.images";
  if (!isWithin(usage.requests, countMax)) return "usage.requests";
  return undefined;
}

/** Whether nothing at all was consumed. */
export function isNothing(usage: Usage): boolean {
  return (
    usage.inputTokens === 0 &&
    usage.outputTokens === 0 &&
    usage.requests === 0 &&
    usage.cacheReadTokens === 0 &&
    usage.cacheWriteTokens === 0 &&
    usage.cacheWrite1hTokens === 0 &&
    usage.audioInputTokens === 0 &&
    usage.reasoningTokens === 0 &&
    usage.audioOutputTokens === 0 &&
    usage.images === 0
  );
}

/** When an id of 32 hex digits was made, in milliseconds since 1970. */
function idTimeMs(id: string): number {
  return Number.parseInt(id.slice(0, 12), 16);
}

/** When an attempt began: by the gateway's word, or when its id was made. */
export function startedMs(item: DecodedItem): number {
  return item.startTimeMs > 0 ? item.startTimeMs : idTimeMs(item.id);
}

function checkCharge(item: DecodedItem): string | undefined {
  if (item.costNanos < 0n || item.costNanos > nanosMax) return "cost_nanos";
  const { priceSnapshotId, providerCostNanos, freeUnits } = item;
  if (priceSnapshotId.length !== 32 && !(priceSnapshotId === "" && isNothing(item.usage))) {
    return "price_snapshot_id";
  }
  if (
    providerCostNanos !== undefined &&
    !(providerCostNanos >= 0n && providerCostNanos <= nanosMax)
  ) {
    return "provider_cost_nanos";
  }
  if (!isWithin(freeUnits, countMax) || (freeUnits > 0 && item.leaseId === "")) return "free_units";
  return undefined;
}

function checkFacts(item: DecodedItem, latestMs: number): string | undefined {
  if (!isWithin(item.usageSource, 4)) return "usage_source";
  if (!isWithin(item.state, 4)) return "state";
  if (!isWithin(item.httpStatus, 999)) return "http_status";
  if (item.upstreamId.length > 128) return "upstream_id";
  if (!isWithin(item.startTimeMs, Math.min(latestMs, timeMsMax))) return "start_time_ms";
  if (!isWithin(item.latencyMs, countMax)) return "latency_ms";
  if (item.timeToFirstTokenMs !== undefined && !isWithin(item.timeToFirstTokenMs, countMax)) {
    return "time_to_first_token_ms";
  }
  if (item.tags.length > 0 && !areTags(item.tags)) return "tags";
  if (!isWithin(item.errorCode, 2_147_483_647)) return "error_code";
  return undefined;
}

/** At most 16 tags of at most 128 characters. */
export function areTags(tags: readonly string[]): boolean {
  return tags.length <= 16 && tags.every((tag) => tag.length <= 128);
}

function isUuidV7(id: string): boolean {
  return id.length === 32 && id.charCodeAt(12) === 0x37;
}

function isWithin(value: number, most: number): boolean {
  return value >= 0 && value <= most;
}
