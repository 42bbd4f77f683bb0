import { noUsage, type Usage } from "@farebox/pricing/usage";
import { worstCase } from "@farebox/pricing/worst-case";
import { estimateUsage } from "../domain/estimate.ts";
import type { StreamReader } from "../domain/stream-reader.ts";
import type { Tokenizers } from "../domain/tokenizers.ts";
import type { Admission, Arrival } from "./check-quota.ts";

/**
 * Makes the look at a running stream: notes what it has cost so far, so that the death of this process loses no more than a
 * second or some 500 tokens, and raises its reservation when the tokens outrun it. False when there is no more to reserve.
 */
export function trackProgress(
  deps: { readonly tokenizers: Tokenizers },
  arrival: Arrival,
  admission: Admission,
): (reader: StreamReader) => boolean {
  const { hold, inputTokensMax } = admission;
  let inputTokens: number | undefined;
  return (reader) => {
    const outputTokens = reader.outputTokensSoFar();
    if (outputTokens === 0) return true;
    inputTokens ??= countPrompt(deps.tokenizers, arrival);
    const usage: Usage = { ...noUsage, inputTokens, outputTokens, requests: 1 };
    hold.checkpoint(usage);
    if (hold.isFree) return true;
    const spent = { inputTokens: inputTokensMax, choices: 1, requests: 1 };
    const { price } = arrival.call.price;
    const soon = worstCase(price, { ...spent, outputTokens: outputTokens + aheadTokens });
    if (soon <= hold.grantedNanos || hold.grow(soon - hold.grantedNanos)) return true;
    // Four bytes make a token by rule of thumb; a stream is cut only when even six would have used the reservation up.
    const surely = Math.floor((outputTokens * 4) / 6);
    return worstCase(price, { ...spent, outputTokens: surely }) <= hold.grantedNanos;
  };
}

/** Once for a stream that runs long enough to be looked at. */
function countPrompt(tokenizers: Tokenizers, arrival: Arrival): number {
  const delivered = { pieces: [], textBytes: 0 };
  return estimateUsage(tokenizers, { call: arrival.call.parsed, delivered }).inputTokens;
}

/** What may come before the next look. */
const aheadTokens = 512;
