import type { Usage } from "@farebox/pricing/usage";
import { isAbsurd } from "../domain/absurd.ts";
import type { Tokenizers } from "../domain/tokenizers.ts";
import type { AttemptOutcome, Receipt } from "../interceptor/billed-call.ts";
import type { Admission, Arrival } from "./check-quota.ts";
import type { UpstreamAnswer } from "./upstream-answer.ts";
import { nothing, type Verdict, verdictOf } from "./verdict.ts";

export type DeductQuotaDeps = {
  readonly tokenizers: Tokenizers;
  readonly clock: { monotonicMs(): number };
  readonly events: DeductQuotaEvents;
};

/** What is worth counting and logging of an ended attempt. */
export type DeductQuotaEvents = {
  ended(arrival: Arrival, answer: UpstreamAnswer, outcome: AttemptOutcome): void;
  usageMalformed(arrival: Arrival, why: string): void;
  failed(requestId: string | undefined, error: unknown): void;
};

/**
 * Charges what an attempt used: reads it out of the answer, estimates it when the provider was silent, and makes it durable.
 * Resolves once the last byte may go out; rejects when the outcome cannot be made durable.
 */
export async function deductQuota(
  deps: DeductQuotaDeps,
  input: {
    readonly arrival: Arrival;
    readonly admission: Admission;
    readonly answer: UpstreamAnswer;
  },
): Promise<Deduction> {
  const { arrival, admission, answer } = input;
  const { startMs } = arrival;
  const verdict = safeVerdict(deps, arrival, answer);
  if (verdict.malformed !== undefined) deps.events.usageMalformed(arrival, verdict.malformed);
  const outcome: AttemptOutcome = {
    state: verdict.state,
    httpStatus: answer.httpStatus,
    latencyMs: wholeMs(deps.clock.monotonicMs() - startMs),
    timeToFirstTokenMs:
      answer.firstPartMs === undefined ? undefined : wholeMs(answer.firstPartMs - startMs),
    upstreamId: verdict.upstreamId.slice(0, upstreamIdCharsMax),
    errorReason: verdict.errorReason,
    usage: chargedUsage(arrival, verdict),
    usageSource: verdict.usageSource,
    providerCostNanos: verdict.providerCostNanos,
    isAbsurd: verdict.usageSource === "provider" && isBeyond(arrival, verdict.usage),
  };
  deps.events.ended(arrival, answer, outcome);
  const receipt = await admission.hold.settle(outcome);
  return { receipt, usage: outcome.usage };
}

/** A bug in reading an answer must not leave a reservation open: then nothing is charged, and it is logged. */
function safeVerdict(deps: DeductQuotaDeps, arrival: Arrival, answer: UpstreamAnswer): Verdict {
  try {
    return verdictOf(deps.tokenizers, arrival.call.parsed, answer);
  } catch (error) {
    deps.events.failed(arrival.requestId, error);
    return nothing("failed", "INTERNAL");
  }
}

/** What was charged, and for what. */
export type Deduction = { readonly receipt: Receipt; readonly usage: Usage };

/** What the account's disconnect policy leaves of the usage of a call whose client left. */
function chargedUsage(arrival: Arrival, { state, usage }: Verdict): Usage {
  if (state !== "cancelled") return usage;
  const policy = arrival.holder.disconnectPolicy;
  if (policy === "partial") return usage;
  if (policy === "nothing") return nothing("cancelled", undefined).usage;
  return { ...usage, outputTokens: 0, reasoningTokens: 0, audioOutputTokens: 0, images: 0 };
}

function isBeyond({ call }: Arrival, usage: Usage): boolean {
  const { contextTokens, maxOutputTokens } = call.limits;
  return isAbsurd(usage, { contextTokens, maxOutputTokens, choices: call.parsed.choices });
}

function wholeMs(ms: number): number {
  return Math.max(0, Math.round(ms));
}

const upstreamIdCharsMax = 128;
