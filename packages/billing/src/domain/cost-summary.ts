import type { Nanos } from "@farebox/kit/money";
import type { Usage } from "@farebox/pricing/usage";

/** What sums can be told apart by, named as rows show it. */
export type CostDimension = (typeof costDimensions)[number];

const costDimensions = [
  "tenant",
  "account",
  "user",
  "api_key",
  "service",
  "provider",
  "model",
] as const;

/** The time step of a summary, in UTC; "whole" for one step. */
export type Granularity = "whole" | "hour" | "day" | "month";

/** One sum over attempts of accounts in one currency. */
export type CostRow = {
  readonly dimensions: Readonly<Partial<Record<CostDimension, string>>>;
  /** When its step begins; undefined for the whole time. */
  readonly startMs: number | undefined;
  readonly currencyCode: string;
  readonly costNanos: Nanos;
  readonly attempts: bigint;
  readonly failed: bigint;
  readonly freeUnits: bigint;
  readonly usage: Readonly<Record<keyof Usage, bigint>>;
};

const hourMs = 3_600_000;
const defaultSpanMs = 30 * 86_400_000;

/** The whole hours that cover a time: 30 days up to the end unless the start is given. */
export function summarySpan(input: {
  readonly startMs: number | undefined;
  readonly endMs: number | undefined;
  readonly nowMs: number;
}): { readonly startMs: number; readonly endMs: number } {
  const endMs = Math.ceil((input.endMs ?? input.nowMs) / hourMs) * hourMs;
  const startMs = input.startMs ?? (input.endMs ?? input.nowMs) - defaultSpanMs;
  return { startMs: Math.max(0, Math.floor(startMs / hourMs) * hourMs), endMs };
}
