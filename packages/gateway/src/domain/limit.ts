import type { OutputLimitField, ParsedCall } from "./call.ts";
import { bareModel } from "./media-tokens.ts";

/** What to do about the output limit of a call. `value` is tokens for each choice. */
export type LimitDecision =
  | { readonly kind: "as-is" }
  | { readonly kind: "clamp"; readonly field: OutputLimitField; readonly value: number }
  | { readonly kind: "refuse" };

/** A call that is left fewer output tokens than this is refused: the answer would be worth less than its prompt. */
export const outputTokensMin = 16;

/**
 * Decides the output limit of a call from what can be paid. A call whose own bound is payable is left exactly as it came; one
 * that is not is lowered to what is, in the dialect's own field; below 16 tokens, or below what the body itself demands (a
 * thinking budget), it is refused.
 *
 * `wantedTokens` is `outputBound`, for each choice; `affordableTokens` is for all choices together.
 */
export function limitOutput(
  call: ParsedCall,
  tokens: { readonly wantedTokens: number; readonly affordableTokens: number },
): LimitDecision {
  if (tokens.wantedTokens * call.choices <= tokens.affordableTokens) return asIs;
  const value = Math.floor(tokens.affordableTokens / call.choices);
  if (value < outputTokensMin || value < call.outputFloor) return refuse;
  return { kind: "clamp", field: call.outputLimitField ?? limitField(call), value };
}

/** The field to add a limit in: OpenAI's reasoning families refuse the older name, other makers know only that one. */
function limitField(call: ParsedCall): OutputLimitField {
  if (call.dialect === "anthropic") return "max_tokens";
  return newerFamilies.test(bareModel(call.model)) ? "max_completion_tokens" : "max_tokens";
}

const newerFamilies = /^(o[1-9]|gpt-([5-9]|\d\d))/;
const asIs: LimitDecision = Object.freeze({ kind: "as-is" });
const refuse: LimitDecision = Object.freeze({ kind: "refuse" });
