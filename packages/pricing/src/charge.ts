import { divideUp, type Nanos } from "@farebox/kit/money";
import { type CompiledPrice, type PerBucket, tierOf } from "./compiled-price.ts";
import { divideUpFast, isExact } from "./fast-integer.ts";
import { promptTokens, type Usage } from "./usage.ts";
import { assertUsage, UsageError } from "./usage-error.ts";

/**
 * What a usage costs, in nanos of the account's currency: the exact rational total, rounded up once. The same usage and
 * snapshot give the same charge wherever and whenever it is computed.
 *
 * The result has no upper bound: whether a usage is absurd is for the caller to judge before it is debited.
 *
 * Errors: UsageError NOT_A_COUNT for a bucket that is not a non-negative safe integer; UNPRICED for images under a price
 * that does not sell them.
 */
export function charge(price: CompiledPrice, usage: Usage): Nanos {
  assertUsage(usage);
  const tier = tierOf(price, promptTokens(usage));
  if (usage.images !== 0 && !tier.sellsImages) throw new UsageError("UNPRICED", "images");
  const fast = tier.fast;
  const sum =
    usage.inputTokens * fast.inputTokens +
    usage.cacheReadTokens * fast.cacheReadTokens +
    usage.cacheWriteTokens * fast.cacheWriteTokens +
    usage.cacheWrite1hTokens * fast.cacheWrite1hTokens +
    usage.audioInputTokens * fast.audioInputTokens +
    usage.outputTokens * fast.outputTokens +
    usage.reasoningTokens * fast.reasoningTokens +
    usage.audioOutputTokens * fast.audioOutputTokens +
    usage.images * fast.images +
    usage.requests * fast.requests;
  if (isExact(sum) && isExact(price.denominatorFast)) {
    return BigInt(divideUpFast(sum, price.denominatorFast));
  }
  return divideUp(exactSum(tier.exact, usage), price.denominator);
}

/** The same sum in integers of any size. Buckets that were not used cost no arithmetic. */
function exactSum(exact: PerBucket<bigint>, usage: Usage): bigint {
  let sum = exact.inputTokens * BigInt(usage.inputTokens);
  if (usage.cacheReadTokens !== 0) sum += exact.cacheReadTokens * BigInt(usage.cacheReadTokens);
  if (usage.cacheWriteTokens !== 0) sum += exact.cacheWriteTokens * BigInt(usage.cacheWriteTokens);
  if (usage.cacheWrite1hTokens !== 0) {
    sum += exact.cacheWrite1hTokens * BigInt(usage.cacheWrite1hTokens);
  }
  if (usage.audioInputTokens !== 0) sum += exact.audioInputTokens * BigInt(usage.audioInputTokens);
  if (usage.outputTokens !== 0) sum += exact.outputTokens * BigInt(usage.outputTokens);
  if (usage.reasoningTokens !== 0) sum += exact.reasoningTokens * BigInt(usage.reasoningTokens);
  if (usage.audioOutputTokens !== 0) {
    sum += exact.audioOutputTokens * BigInt(usage.audioOutputTokens);
  }
  if (usage.images !== 0) sum += exact.images * BigInt(usage.images);
  if (usage.requests !== 0) sum += exact.requests * BigInt(usage.requests);
  return sum;
}
