import { type Usage, usageBuckets } from "./usage.ts";

/** Why a usage cannot be charged: a count that is no count, or a bucket that the price does not sell. */
export type UsageFault = "NOT_A_COUNT" | "UNPRICED";

/** A usage that has no price: the work is neither charged at a guess nor given away. `bucket` says which count. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly fault: UsageFault;
  readonly bucket: string;

  constructor(fault: UsageFault, bucket: string) {
    super(
      fault === "UNPRICED"
        ? `${bucket}: the price has no rate for it`
        : `${bucket}: must be a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`,
    );
    this.fault = fault;
    this.bucket = bucket;
  }
}

/** Whether a number can be a quantity: whole, not negative, and exact. */
export function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** Throws a UsageError that names the first bucket which is not a non-negative safe integer. */
export function assertUsage(usage: Usage): void {
  // Spelled out: a loop over the names costs more than the whole charge.
  const sound =
    isCount(usage.inputTokens) &&
    isCount(usage.cacheReadTokens) &&
    isCount(usage.cacheWriteTokens) &&
    isCount(usage.cacheWrite1hTokens) &&
    isCount(usage.audioInputTokens) &&
    isCount(usage.outputTokens) &&
    isCount(usage.reasoningTokens) &&
    isCount(usage.audioOutputTokens) &&
    isCount(usage.images) &&
    isCount(usage.requests);
  if (sound) return;
  const bucket = usageBuckets.find((name) => !isCount(usage[name]));
  throw new UsageError("NOT_A_COUNT", bucket ?? "usage");
}
