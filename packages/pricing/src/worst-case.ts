import { divideUp, type Nanos } from "@farebox/kit/money";
import { type CompiledPrice, type PerBound, tierOf, type WorstRates } from "./compiled-price.ts";
import { divideDownFast, divideUpFast, isExact } from "./fast-integer.ts";
import { isCount, UsageError } from "./usage-error.ts";

/** What a call can at most use. Tokens of the whole prompt, once, and of the whole completion, per choice. */
export type CallBound = {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly choices: number;
  readonly requests: number;
  /** Images that the call can make; none unless given. */
  readonly images?: number;
};

/** A call whose output is still to be limited, and the nanos that it may cost. */
export type CallBudget = Omit<CallBound, "outputTokens"> & { readonly amountNanos: Nanos };

/**
 * The most that a call can cost, in nanos of the account's currency: for every usage inside the bound,
 * `charge(price, usage) <= worstCase(price, bound)`. Every prompt token is taken at the dearest input price and every
 * completion token at the dearest output price of all tiers that a prompt of this size or smaller can fall in.
 *
 * Errors: UsageError NOT_A_COUNT for a bound that is not a non-negative safe integer; UNPRICED for images under a price
 * that does not sell them.
 */
export function worstCase(price: CompiledPrice, call: CallBound): Nanos {
  assertCount("outputTokens", call.outputTokens);
  const worst = worstRates(price, call);
  const sum =
    fixedFast(worst.fast, call) + worst.fast.outputTokens * (call.outputTokens * call.choices);
  if (isExact(sum) && isExact(price.denominatorFast)) {
    return BigInt(divideUpFast(sum, price.denominatorFast));
  }
  const output = worst.exact.outputTokens * BigInt(call.outputTokens) * BigInt(call.choices);
  return divideUp(fixedExact(worst.exact, call) + output, price.denominator);
}

/**
 * The largest output limit per choice whose worst case is at most the amount: what `max_tokens` is lowered to. −1 when
 * not even the input can be paid; `Number.MAX_SAFE_INTEGER` when the output is free, or cheaper than any limit.
 *
 * Errors: as `worstCase`.
 */
export function affordableOutputTokens(price: CompiledPrice, call: CallBudget): number {
  const worst = worstRates(price, call);
  const fixed = fixedFast(worst.fast, call);
  const perToken = worst.fast.outputTokens * call.choices;
  // A negative amount takes the exact way: the fast one is proven for non-negative numbers only.
  const limit = call.amountNanos < 0n ? Number.NaN : exactOrNaN(call.amountNanos);
  const paid = limit * price.denominatorFast;
  if (isExact(fixed) && isExact(perToken) && isExact(paid)) {
    if (paid < fixed) return -1;
    return perToken === 0 ? Number.MAX_SAFE_INTEGER : divideDownFast(paid - fixed, perToken);
  }
  return affordableExact(price, worst.exact, call);
}

function affordableExact(price: CompiledPrice, worst: PerBound<bigint>, call: CallBudget): number {
  // ⌈(fixed + perToken × n) ÷ denominator⌉ ≤ amount is fixed + perToken × n ≤ amount × denominator: amounts are whole.
  const left = call.amountNanos * price.denominator - fixedExact(worst, call);
  if (left < 0n) return -1;
  const perToken = worst.outputTokens * BigInt(call.choices);
  if (perToken === 0n) return Number.MAX_SAFE_INTEGER;
  const tokens = left / perToken;
  return tokens < BigInt(Number.MAX_SAFE_INTEGER) ? Number(tokens) : Number.MAX_SAFE_INTEGER;
}

function worstRates(price: CompiledPrice, call: Omit<CallBound, "outputTokens">): WorstRates {
  assertCount("inputTokens", call.inputTokens);
  assertCount("choices", call.choices);
  assertCount("requests", call.requests);
  const worst = tierOf(price, call.inputTokens).bound;
  const images = call.images ?? 0;
  if (images !== 0) {
    assertCount("images", images);
    if (!worst.sellsImages) throw new UsageError("UNPRICED", "images");
  }
  return worst;
}

/** What does not depend on the output limit. */
function fixedFast(worst: PerBound<number>, call: Omit<CallBound, "outputTokens">): number {
  return (
    worst.inputTokens * call.inputTokens +
    worst.requests * call.requests +
    worst.images * (call.images ?? 0)
  );
}

function fixedExact(worst: PerBound<bigint>, call: Omit<CallBound, "outputTokens">): bigint {
  return (
    worst.inputTokens * BigInt(call.inputTokens) +
    worst.requests * BigInt(call.requests) +
    worst.images * BigInt(call.images ?? 0)
  );
}

function exactOrNaN(amountNanos: Nanos): number {
  const amount = Number(amountNanos);
  return amount <= Number.MAX_SAFE_INTEGER ? amount : Number.NaN;
}

function assertCount(name: string, value: number): void {
  if (!isCount(value)) throw new UsageError("NOT_A_COUNT", name);
}
