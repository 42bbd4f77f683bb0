import type { ModelLimits } from "./absurd.ts";
import type { ParsedCall } from "./call.ts";
import { mediaTokensMax } from "./media-tokens.ts";
import { promptText } from "./prompt-text.ts";
import { type Tokenizers, tokenFamily } from "./tokenizers.ts";

/** The window taken for a model whose price row states none: the largest in common use. */
const contextTokensUnknown = 1_048_576;

/**
 * The most tokens the prompt can cost, from its size alone: a byte-level vocabulary never makes more tokens than bytes, and
 * the JSON around the text has more bytes than the provider's frame has tokens. Inline media count by table; a document, or a
 * tool that the provider runs itself, may fill the window. Costs nanoseconds: the first bound to try.
 */
export function inputBoundByBytes(call: ParsedCall, limits: ModelLimits): number {
  const context = limits.contextTokens ?? contextTokensUnknown;
  const { documents, providerTools, mediaBytes } = call.prompt;
  if (documents > 0 || providerTools > 0) return context;
  return Math.min(context, call.body.length - mediaBytes + mediaTokensMax(call));
}

/**
 * The most tokens the prompt can cost, counted: 10 % and 32 above the tokenizer's count, for the frames that providers do not
 * publish. Undefined when the model's vocabulary is not public or the text is too long to count within a millisecond or a
 * few; the byte bound then stands. About 50 ns per byte: for calls whose byte bound does not fit in what can be paid.
 */
export function inputBoundByTokenizer(
  tokenizers: Tokenizers,
  call: ParsedCall,
  limits: ModelLimits,
): number | undefined {
  const family = tokenFamily(call.model);
  if (family === undefined) return undefined;
  if (call.body.length - call.prompt.mediaBytes > countedBytesMax) return undefined;
  const bytesBound = inputBoundByBytes(call, limits);
  if (call.prompt.documents > 0 || call.prompt.providerTools > 0) return bytesBound;
  const prompt = promptText(call);
  const tokens =
    prompt.messages * tokensPerMessage + tokenizers.count(family, prompt.pieces.join("\n"));
  return Math.min(bytesBound, Math.ceil(tokens * 1.1) + 32 + mediaTokensMax(call));
}

/**
 * The most tokens one choice can generate: the client's own limit, else the model's, else its window. A client's limit beyond
 * the window means the window.
 */
export function outputBound(call: ParsedCall, limits: ModelLimits): number {
  const context = limits.contextTokens ?? contextTokensUnknown;
  if (call.outputLimit !== undefined) return Math.min(call.outputLimit, context);
  return Math.min(limits.maxOutputTokens ?? context, context);
}

/** The frame of a message, as OpenAI documents it for its chat models: 3 tokens, and 1 for a name. */
export const tokensPerMessage = 4;

/** Longer texts would be extrapolated, and an extrapolation is no bound. */
const countedBytesMax = 16_384;
