import { completionTokens, promptTokens, type Usage } from "@farebox/pricing/usage";

/** What a model can take and give, as its price row states it. Undefined where it does not say. */
export type ModelLimits = {
  readonly contextTokens: number | undefined;
  readonly maxOutputTokens: number | undefined;
};

/**
 * Tells whether a usage is beyond anything the model can consume in one call: more prompt than its window holds, or more
 * output than every choice could fill. Such a usage is quarantined and alarmed, never debited. A limit that is not known
 * is taken to be ten million tokens, beyond any window on sale.
 */
export function isAbsurd(
  usage: Usage,
  bounds: ModelLimits & { readonly choices: number },
): boolean {
  const context = bounds.contextTokens ?? windowMax;
  const output = bounds.maxOutputTokens ?? context;
  return promptTokens(usage) > context || completionTokens(usage) > output * bounds.choices;
}

const windowMax = 10_000_000;
