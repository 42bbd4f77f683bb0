import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The models that faults are tried on. Their rates are no whole nanos per token, so that every rounding shows. */
export const faultModels = {
  openai: "gpt-4o-fault",
  anthropic: "claude-fault",
} as const;

/** Name of the upstreams' only price list. */
export const faultProvider = "faults";

/** Nanos per token of the models, as exact fractions over 10, for tests that state an amount. */
export const faultRates = { inputTenths: 1237n, outputTenths: 6111n } as const;

/** Writes the price and upstream files of a fault stack into its home; returns the variables that name them. */
export function writeCatalogue(
  home: string,
  upstreamUrl: string,
): { readonly billing: Record<string, string>; readonly gateway: Record<string, string> } {
  mkdirSync(home, { recursive: true });
  const prices = join(home, "prices.yaml");
  const upstreams = join(home, "upstreams.yaml");
  writeFileSync(prices, `prices:\n${Object.values(faultModels).map(priceOf).join("")}`);
  writeFileSync(
    upstreams,
    `upstreams:\n${upstreamOf("openai", upstreamUrl, "/v1")}${upstreamOf("anthropic", upstreamUrl, "")}`,
  );
  return {
    billing: { FAREBOX_PRICES: prices },
    gateway: { FAREBOX_UPSTREAMS: upstreams, [keyVariable]: upstreamKey },
  };
}

/** What the gateway authenticates with at the upstream: a canary that must turn up nowhere else. */
export const upstreamKey = "sk-canary-upstream-7f3a91";

const keyVariable = "FAULT_UPSTREAM_KEY";

const priceOf = (model: string) => `  - provider: ${faultProvider}
    model: ${model}
    input: "0.1237"
    output: "0.6111"
    cache_read: "0.0313"
    cache_write: "0.1549"
    reasoning: "0.6111"
    context_tokens: 128000
    max_output_tokens: 16000
`;

const upstreamOf = (
  dialect: keyof typeof faultModels,
  url: string,
  path: string,
) => `  - name: demo-${dialect}
    dialect: ${dialect}
    base_url: ${url}${path}
    api_key_env: ${keyVariable}
    models: ["${faultModels[dialect]}"]
    price_provider: ${faultProvider}
`;
