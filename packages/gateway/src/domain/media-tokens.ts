import type { ParsedCall } from "./call.ts";

/**
 * The most tokens an image, a second of audio or a set of tools can cost, from the providers' own pages (November 2026).
 * Rows are tried in order; a model that no row names gets the last row of its dialect.
 *
 * OpenAI: a base and 8 tiles at most (85 + 8 × 170 for gpt-4o and 4.1, 33 times that for gpt-4o-mini), or 1536 patches times a
 * factor (1.62 mini, 1.72 o4-mini, 2.46 nano); newer models take up to 10,000 patches. Anthropic: width × height / 750 after
 * scaling, 4,784 at most. Audio is 10 tokens a second, and no codec they accept is below 8 kbit/s, 133 base64
 * characters per token: 64 leaves a factor of two. Declared tools bring a hidden prompt (at most 600 tokens at Anthropic) and each
 * tool that Anthropic describes itself up to 735 more.
 */
const imageTokens: readonly (readonly [prefix: string, tokens: number])[] = [
  ["gpt-4o-mini", 48_169],
  ["gpt-4o", 1_445],
  ["chatgpt-4o", 1_445],
  ["gpt-4.1-mini", 2_489],
  ["gpt-4.1-nano", 3_779],
  ["gpt-4.1", 1_445],
  ["o4-mini", 2_642],
  ["o1", 1_275],
  ["o3", 1_275],
  ["claude", 4_784],
];
const imageTokensUnknown = { openai: 24_600, anthropic: 4_784 } as const;
const audioCharsPerToken = 64;
const toolPromptTokens = 600;
const tokensPerTool = 16;
const tokensPerBuiltinTool = 800;

/** The most tokens that images, audio and tools add to the text of the prompt. Documents are beyond any such bound. */
export function mediaTokensMax(call: ParsedCall): number {
  const { images, audioChars, tools, builtinTools } = call.prompt;
  return (
    (images === 0 ? 0 : images * tokensPerImage(call)) +
    Math.ceil(audioChars / audioCharsPerToken) +
    (tools + builtinTools === 0 ? 0 : toolPromptTokens) +
    tools * tokensPerTool +
    builtinTools * tokensPerBuiltinTool
  );
}

/** The model's own name, without the maker that routers put before it: `openai/gpt-4o` is `gpt-4o`. */
export function bareModel(model: string): string {
  return model.slice(model.lastIndexOf("/") + 1);
}

function tokensPerImage(call: ParsedCall): number {
  const model = bareModel(call.model);
  const row = imageTokens.find(([prefix]) => model.startsWith(prefix));
  return row === undefined ? imageTokensUnknown[call.dialect] : row[1];
}
