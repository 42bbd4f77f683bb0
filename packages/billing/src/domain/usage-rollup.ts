import type { Nanos } from "@farebox/kit/money";
import { type DecodedItem, startedMs } from "./usage-item.ts";

/** What an account's attempts of one hour and one set of dimensions add up to. */
export type Rollup = {
  readonly accountId: string;
  /** Hours since 1970 UTC, by when the attempts began. */
  readonly hour: number;
  readonly tenantId: string;
  readonly userId: string;
  readonly apiKeyId: string;
  readonly service: string;
  readonly provider: string;
  readonly model: string;
  attempts: number;
  failed: number;
  cost: Nanos;
  freeUnits: number;
  inputTokens: number;
  cacheReadTokens: number;
  cacheWriteTokens: number;
  cacheWrite1hTokens: number;
  audioInputTokens: number;
  outputTokens: number;
  reasoningTokens: number;
  audioOutputTokens: number;
  images: number;
  requests: number;
};

const hourMs = 3_600_000;
/** ATTEMPT_STATE_FAILED in the contract. */
const failedState = 2;

/** The sums of one account's attempts while they are gone through. */
export type Rollups = {
  readonly list: Rollup[];
  readonly byKey: Map<string, Rollup>;
  /** Neighbours mostly belong to the same sum. */
  last: Rollup | undefined;
};

/** No sums yet. */
export function openRollups(): Rollups {
  return { list: [], byKey: new Map(), last: undefined };
}

/** Adds an attempt to the sum it belongs to. */
export function addToRollups(rollups: Rollups, item: DecodedItem, tenantId: string): void {
  const hour = Math.floor(startedMs(item) / hourMs);
  let rollup = rollups.last;
  if (rollup === undefined || !isOf(rollup, item, hour)) {
    rollup = findRollup(rollups, item, hour, tenantId);
    rollups.last = rollup;
  }
  const { usage } = item;
  rollup.attempts += 1;
  if (item.state === failedState) rollup.failed += 1;
  rollup.cost += item.costNanos;
  rollup.freeUnits += item.freeUnits;
  rollup.inputTokens += usage.inputTokens;
  rollup.cacheReadTokens += usage.cacheReadTokens;
  rollup.cacheWriteTokens += usage.cacheWriteTokens;
  rollup.cacheWrite1hTokens += usage.cacheWrite1hTokens;
  rollup.audioInputTokens += usage.audioInputTokens;
  rollup.outputTokens += usage.outputTokens;
  rollup.reasoningTokens += usage.reasoningTokens;
  rollup.audioOutputTokens += usage.audioOutputTokens;
  rollup.images += usage.images;
  rollup.requests += usage.requests;
}

function isOf(rollup: Rollup, item: DecodedItem, hour: number): boolean {
  return (
    rollup.hour === hour &&
    rollup.model === item.model &&
    rollup.apiKeyId === item.apiKeyId &&
    rollup.userId === item.userId &&
    rollup.provider === item.provider &&
    rollup.service === item.service
  );
}

function findRollup(rollups: Rollups, item: DecodedItem, hour: number, tenantId: string): Rollup {
  // Only model and user may hold any character; the length keeps them apart.
  const key = `${hour}\n${item.service}\n${item.provider}\n${item.apiKeyId}\n${item.model.length}\n${item.model}${item.userId}`;
  const known = rollups.byKey.get(key);
  if (known !== undefined) return known;
  const rollup = emptyRollup(item, hour, tenantId);
  rollups.byKey.set(key, rollup);
  rollups.list.push(rollup);
  return rollup;
}

function emptyRollup(item: DecodedItem, hour: number, tenantId: string): Rollup {
  return {
    accountId: item.accountId,
    hour,
    tenantId,
    userId: item.userId,
    apiKeyId: item.apiKeyId,
    service: item.service,
    provider: item.provider,
    model: item.model,
    attempts: 0,
    failed: 0,
    cost: 0n,
    freeUnits: 0,
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
  };
}
