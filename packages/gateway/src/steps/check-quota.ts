import { createHash } from "node:crypto";
import { AppError } from "@farebox/kit/app-error";
import { formatNanos } from "@farebox/kit/money";
import { affordableOutputTokens, worstCase } from "@farebox/pricing/worst-case";
import { type LimitDecision, limitOutput, outputTokensMin } from "../domain/limit.ts";
import { inputBoundByBytes, inputBoundByTokenizer, outputBound } from "../domain/token-bound.ts";
import type { Tokenizers } from "../domain/tokenizers.ts";
import type { CallHead } from "../http/call-head.ts";
import type { AccessEntry } from "../interceptor/access/access-entry.ts";
import type { BilledCall } from "../interceptor/billed-call.ts";
import type { Hold, Quota } from "./hold.ts";
import type { ResolvedCall } from "./resolve-call.ts";
import { voidQuota } from "./void-quota.ts";

/** What billing on needs, and billing off has not. */
export type CheckQuotaDeps = {
  readonly quota: Quota;
  readonly tokenizers: Tokenizers;
};

/** A call as it arrived, under the id it is charged by. */
export type Arrival = {
  readonly head: CallHead;
  readonly holder: AccessEntry;
  readonly call: ResolvedCall;
  /** The client's own id, or one made here. */
  readonly requestId: string;
  /** Path and query as the client sent them, which a claimed request id is bound to beside the body. */
  readonly url: string;
  /** When it arrived: monotonic, and in milliseconds since 1970. */
  readonly startMs: number;
  readonly startTimeMs: number;
};

/** A call that may be made. */
export type Admission = {
  readonly hold: Hold;
  readonly limit: LimitDecision;
  /** The most tokens that the prompt can count. */
  readonly inputTokensMax: number;
};

/**
 * Reserves the most that a call can cost, and lowers its output limit when that is more than there is. The size of the body
 * bounds the prompt for next to nothing; the tokenizer is asked only when that bound does not fit. `leaving` is asked for the
 * client's signal only when the call has to wait for a grant.
 *
 * Errors: INSUFFICIENT_BALANCE and the other denials of CheckQuota; the three of a claimed request id; BILLING_UNAVAILABLE,
 * JOURNAL_FULL, TOO_MANY_WAITING; CLIENT_CLOSED when the client leaves while it waits.
 */
export async function checkQuota(
  deps: CheckQuotaDeps,
  arrival: Arrival,
  leaving: () => AbortSignal,
): Promise<Admission> {
  const { parsed, limits } = arrival.call;
  const inputTokens = inputBoundByBytes(parsed, limits);
  const outputTokens = outputBound(parsed, limits);
  const billed = billedCall(arrival, { inputTokens, outputTokens });
  const { quota } = deps;
  const { holder } = arrival;
  let hold: Hold;
  try {
    const held = quota.beforeRequest(holder, billed, leaving);
    hold = held instanceof Promise ? await held : held;
  } catch (error) {
    const counted = isShort(error) ? countPrompt(deps, arrival, inputTokens) : undefined;
    if (counted === undefined) throw error;
    const tight = billedCall(arrival, { inputTokens: counted, outputTokens });
    hold = await quota.beforeRequest(holder, tight, leaving);
    return admit(arrival, hold, { inputTokens: counted, outputTokens });
  }
  if (!hold.isClamped) {
    return { hold, limit: noLimit, inputTokensMax: inputTokens };
  }
  const counted = countPrompt(deps, arrival, inputTokens) ?? inputTokens;
  return admit(arrival, hold, { inputTokens: counted, outputTokens });
}

/** The client's own limit stands. */
export const noLimit: LimitDecision = Object.freeze({ kind: "as-is" });

type Bounds = { readonly inputTokens: number; readonly outputTokens: number };

/** Lowers the output limit to what a hold can pay; gives the hold back when that is too little to be of use. */
async function admit(arrival: Arrival, hold: Hold, bounds: Bounds): Promise<Admission> {
  const { parsed, price } = arrival.call;
  const { choices } = parsed;
  const inputTokensMax = bounds.inputTokens;
  if (!hold.isClamped) return { hold, limit: noLimit, inputTokensMax };
  const perChoice = affordableOutputTokens(price.price, {
    inputTokens: bounds.inputTokens,
    choices,
    requests: 1,
    amountNanos: hold.grantedNanos,
  });
  const affordableTokens = Math.min(perChoice * choices, Number.MAX_SAFE_INTEGER);
  const limit = limitOutput(parsed, { wantedTokens: bounds.outputTokens, affordableTokens });
  if (limit.kind !== "refuse") return { hold, limit, inputTokensMax };
  await voidQuota(hold);
  throw new AppError("INSUFFICIENT_BALANCE", undefined, {
    metadata: {
      available: formatNanos(hold.grantedNanos),
      currency_code: arrival.holder.currency,
    },
  });
}

/** The tokenizer's bound on the prompt, when there is one below the byte bound. */
function countPrompt(
  { tokenizers }: CheckQuotaDeps,
  { call }: Arrival,
  byteBound: number,
): number | undefined {
  const counted = inputBoundByTokenizer(tokenizers, call.parsed, call.limits);
  return counted !== undefined && counted < byteBound ? counted : undefined;
}

/** A closer bound on the prompt may be payable, or fit into what is left of the free quota. */
function isShort(error: unknown): boolean {
  if (!(error instanceof AppError)) return false;
  return error.reason === "INSUFFICIENT_BALANCE" || error.reason === "INSUFFICIENT_QUOTA";
}

function billedCall(arrival: Arrival, { inputTokens, outputTokens }: Bounds): BilledCall {
  const { call, head } = arrival;
  const { parsed, price, route } = call;
  const { choices } = parsed;
  const least = Math.min(outputTokens, Math.max(outputTokensMin, parsed.outputFloor));
  const bound = { inputTokens, outputTokens, choices, requests: 1 };
  return {
    service,
    requestId: arrival.requestId,
    claimSha256: head.requestId === undefined ? undefined : claimOf(arrival),
    attempt: 1,
    provider: route.upstream.name,
    model: route.upstreamModel,
    price: price.price,
    snapshotId: price.snapshotId,
    worstCaseNanos: worstCase(price.price, bound),
    minimumNanos: worstCase(price.price, { ...bound, outputTokens: least }),
    worstCaseUnits: inputTokens + outputTokens * choices,
    startTimeMs: arrival.startTimeMs,
    tags: head.tags,
  };
}

function claimOf(arrival: Arrival): Buffer {
  return createHash("sha256")
    .update(`POST ${arrival.url}\n`)
    .update(arrival.call.parsed.body)
    .digest();
}

const service = "llm";
