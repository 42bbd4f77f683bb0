import assert from "node:assert/strict";
import { test } from "node:test";
import { compilePrice } from "@farebox/pricing/compiled-price";
import { parsePrice } from "@farebox/pricing/price";
import { makeSnapshot } from "@farebox/pricing/snapshot";
import { noUsage } from "@farebox/pricing/usage";
import type { Charge } from "../domain/charge-check.ts";
import { priceCharge } from "./price-charge.ts";

const compiled = compilePrice(
  makeSnapshot(
    parsePrice({ provider: "p", model: "m", input: "1", output: "2", context_tokens: 1000 }),
    { exchangeRate: "1", accountCurrency: "USD" },
  ),
);
const deps = { priceUsage: () => ({ snapshotId: "ab", compiled }) };
const charge = (inputTokens: number): Charge => ({
  requestId: "r",
  amount: undefined,
  units: 0,
  usage: { ...noUsage, inputTokens },
  provider: "p",
  model: "m",
  usageSource: 1,
  apiKeyId: "",
  userId: "",
  tags: [],
});

test("prices a charge by its usage", async () => {
  const priced = await priceCharge(deps, charge(1000), "USD");
  assert.deepEqual(priced, { costNanos: 1_000_000n, priceSnapshotId: "ab" });
});

test("refuses usage that no model can produce, instead of making it debt", async () => {
  const priced = await priceCharge(deps, charge(10 ** 12), "USD");
  assert.deepEqual(priced, { fault: { reason: "USAGE_ABSURD", field: "usage" } });
});
