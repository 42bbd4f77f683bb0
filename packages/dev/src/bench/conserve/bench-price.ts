import type { CostTerms } from "../../conservation/exact-cost.ts";
import { benchModel } from "../targets/ready-answers.ts";

/** The provider that the benchmark calls and is priced by. */
export const benchProvider = "bench";

const rates = { input: "0.1537", cache_read: "0.0411", output: "0.6113", reasoning: "0.7001" };

/**
 * The price of the benchmark's model as the check of the bill knows it: from here, not from what Billing stored. Its rates
 * make costs that are no whole nanos, so that rounding is part of what is checked.
 */
export const benchTerms: CostTerms = {
  rates: {
    input: rates.input,
    cacheRead: rates.cache_read,
    cacheWrite: null,
    cacheWrite1h: null,
    audioInput: null,
    output: rates.output,
    reasoning: rates.reasoning,
    audioOutput: null,
    image: null,
    request: "0",
  },
  tiers: [],
  markup: "1",
  exchangeRate: "1",
};

/** The same price as an operator states it in the file of FAREBOX_PRICES. JSON is YAML. */
export const benchPriceFile = JSON.stringify({
  prices: [
    {
      provider: benchProvider,
      model: benchModel,
      ...rates,
      context_tokens: 128_000,
      max_output_tokens: 4_096,
    },
  ],
});
