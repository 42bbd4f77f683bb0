import type { Usage } from "./usage.ts";

/**
 * Unit prices as decimal strings of the price's currency: per million tokens, except `image` (each) and `request` (each
 * call). A rate that is left out falls back as `resolveRates` says.
 */
export type UnitRates = {
  readonly input: string;
  readonly output: string;
  readonly cacheRead?: string;
  readonly cacheWrite?: string;
  readonly cacheWrite1h?: string;
  readonly reasoning?: string;
  readonly audioInput?: string;
  readonly audioOutput?: string;
  readonly image?: string;
  readonly request?: string;
};

/** The name of one unit price. */
export type RateName = keyof UnitRates;

/** Unit prices with every fallback spelled out. `image` is null where images are not sold. */
export type ResolvedRates = { readonly [name in Exclude<RateName, "image">]: string } & {
  readonly image: string | null;
};

/** Tokens that one token rate is the price of. */
export const tokensPerRate = 1_000_000;

/** Which rate prices a bucket, and how many of its units the rate is for. */
export const rateOfBucket = {
  inputTokens: { rate: "input", per: tokensPerRate },
  cacheReadTokens: { rate: "cacheRead", per: tokensPerRate },
  cacheWriteTokens: { rate: "cacheWrite", per: tokensPerRate },
  cacheWrite1hTokens: { rate: "cacheWrite1h", per: tokensPerRate },
  audioInputTokens: { rate: "audioInput", per: tokensPerRate },
  outputTokens: { rate: "output", per: tokensPerRate },
  reasoningTokens: { rate: "reasoning", per: tokensPerRate },
  audioOutputTokens: { rate: "audioOutput", per: tokensPerRate },
  images: { rate: "image", per: 1 },
  requests: { rate: "request", per: 1 },
} as const satisfies {
  readonly [bucket in keyof Usage]: { readonly rate: RateName; readonly per: number };
};

/**
 * Spells out every fallback: what a cache does and what is heard cost as input, one-hour writes as five-minute ones,
 * what is thought and spoken as output, a request nothing. Images have no fallback: unpriced is refused, never free.
 *
 * A tier's own rates win over the base's before the fallbacks apply, so that a tier which raises only `input` raises
 * with it whatever falls back to input.
 */
export function resolveRates(base: UnitRates, tier: Partial<UnitRates> = {}): ResolvedRates {
  const rates: UnitRates = { ...base, ...tier };
  const cacheWrite = rates.cacheWrite ?? rates.input;
  return {
    input: rates.input,
    output: rates.output,
    cacheRead: rates.cacheRead ?? rates.input,
    cacheWrite,
    cacheWrite1h: rates.cacheWrite1h ?? cacheWrite,
    reasoning: rates.reasoning ?? rates.output,
    audioInput: rates.audioInput ?? rates.input,
    audioOutput: rates.audioOutput ?? rates.output,
    image: rates.image ?? null,
    request: rates.request ?? "0",
  };
}
