import { bareModel } from "./media-tokens.ts";

/** The vocabularies we can count with. */
export type TokenFamily = "o200k_base" | "cl100k_base";

/** Token counters that are ready: counting is synchronous and bounded. See `loadTokenizers`. */
export type Tokenizers = {
  /**
   * Counts the tokens of a text in a family's vocabulary, or in the nearest one that is loaded. Never throws; what looks
   * like a special token counts as the text it is. Beyond a bound the count is extrapolated.
   */
  readonly count: (family: TokenFamily, text: string) => number;
};

/**
 * The vocabulary of a model, where it is public: OpenAI's families. Undefined for every other; such a text may have as many
 * tokens as bytes.
 */
export function tokenFamily(model: string): TokenFamily | undefined {
  const name = bareModel(model);
  if (o200kPrefixes.some((prefix) => name.startsWith(prefix))) return "o200k_base";
  if (cl100kPrefixes.some((prefix) => name.startsWith(prefix))) return "cl100k_base";
  return undefined;
}

const o200kPrefixes = [
  "gpt-4o",
  "gpt-4.1",
  "gpt-4.5",
  "gpt-5",
  "gpt-oss",
  "chatgpt-4o",
  "o1",
  "o3",
  "o4",
];
const cl100kPrefixes = ["gpt-4", "gpt-3.5", "text-embedding-"];
