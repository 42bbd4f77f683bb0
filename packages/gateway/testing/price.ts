import { type CompiledPrice, compilePrice } from "@farebox/pricing/compiled-price";
import { parsePrice } from "@farebox/pricing/price";
import { makeSnapshot } from "@farebox/pricing/snapshot";

/** One dollar per million prompt tokens, two per million of the answer: 1000 and 2000 nanos a token. */
export const compiledPrice: CompiledPrice = compilePrice(
  makeSnapshot(parsePrice({ provider: "demo", model: "demo-1", input: "1", output: "2" }), {
    exchangeRate: "1",
    accountCurrency: "USD",
  }),
);
