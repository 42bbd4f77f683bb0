import type { Usage } from "@farebox/pricing/usage";

/**
 * What a provider said an attempt consumed.
 *
 * - `reported`: its final word. An explicit zero is a zero.
 * - `partial`: the stream ended before the final word; the prompt is as the provider counted it, the output is what it had
 *   counted by then, often next to nothing.
 * - `missing`: it said nothing; the caller estimates.
 * - `malformed`: it said something that cannot be true; the caller estimates and raises an alarm. Never charged as it stands.
 */
export type UsageReport = ReportedUsage | MissingUsage | MalformedUsage;

export type ReportedUsage = {
  readonly kind: "reported" | "partial";
  readonly usage: Usage;
  /** What the provider says it charged us, in nanos of US dollars; only from providers that say so (OpenRouter). */
  readonly providerCostNanos?: bigint;
};

export type MissingUsage = { readonly kind: "missing" };

export type MalformedUsage = { readonly kind: "malformed"; readonly why: string };

/** The provider said nothing about usage. */
export const missingUsage: MissingUsage = Object.freeze({ kind: "missing" });

/** Makes the verdict on a usage that cannot be true. */
export function malformedUsage(why: string): MalformedUsage {
  return { kind: "malformed", why };
}
