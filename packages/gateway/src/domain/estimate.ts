import { noUsage, promptTokens, type Usage } from "@farebox/pricing/usage";
import type { ParsedCall } from "./call.ts";
import { mediaTokensMax } from "./media-tokens.ts";
import { promptText } from "./prompt-text.ts";
import { tokensPerMessage } from "./token-bound.ts";
import { type TokenFamily, type Tokenizers, tokenFamily } from "./tokenizers.ts";

/** What went to the client of an attempt whose provider did not say what it cost. */
export type Delivered = {
  /** Generated text that is known, in pieces; see `StreamContent` and `answerContent`. */
  readonly pieces: readonly string[];
  /** UTF-8 bytes of all generated text, the known pieces included. */
  readonly textBytes: number;
};

/**
 * What an attempt must have cost, counted from what is known: the prompt from the request, the output from what was
 * delivered. For transactions whose source is ESTIMATED, or PARTIAL when `known` is given: the provider's own count of the
 * prompt (and of some output) from a stream that broke, which stands wherever it is the larger.
 *
 * Without a public vocabulary o200k_base counts, which for other makers' models errs on the customer's side. Pure CPU: tens
 * of nanoseconds a byte, bounded by the tokenizers.
 */
export function estimateUsage(
  tokenizers: Tokenizers,
  input: { readonly call: ParsedCall; readonly delivered: Delivered; readonly known?: Usage },
): Usage {
  const { call, delivered, known } = input;
  const family = tokenFamily(call.model) ?? "o200k_base";
  const outputTokens = countOutput(tokenizers, family, delivered);
  if (known !== undefined && promptTokens(known) > 0) {
    const unknown = outputTokens - known.reasoningTokens - known.audioOutputTokens;
    return { ...known, outputTokens: Math.max(known.outputTokens, unknown) };
  }
  return {
    ...noUsage,
    inputTokens: countInput(tokenizers, family, call),
    outputTokens,
    requests: 1,
  };
}

function countInput(tokenizers: Tokenizers, family: TokenFamily, call: ParsedCall): number {
  const prompt = promptText(call);
  const frame = 3 + prompt.messages * tokensPerMessage + mediaTokensMax(call);
  return frame + tokenizers.count(family, prompt.pieces.join("\n"));
}

/** Pieces are joined before counting: a stream cuts words anywhere. What was not kept counts at four bytes a token. */
function countOutput(tokenizers: Tokenizers, family: TokenFamily, delivered: Delivered): number {
  const text = delivered.pieces.join("");
  const beyond = Math.max(0, delivered.textBytes - Buffer.byteLength(text));
  return tokenizers.count(family, text) + Math.ceil(beyond / 4);
}
