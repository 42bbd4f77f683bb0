import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { BillingService } from "@farebox/proto/farebox/billing/v1/billing_service";
import { type BillingUnderTest, openAccount, startBillingForTest } from "./billing-under-test.ts";

let home: string;
let billing: BillingUnderTest;
before(async () => {
  home = await mkdtemp(join(tmpdir(), "farebox-quote-"));
  const prices = join(home, "prices.yaml");
  await writeFile(
    prices,
    `
prices:
  - {provider: house, model: tiny, input: 0.1, output: 0.3, request: 0.000000001}
  - {provider: house, model: long, input: 1, output: 2, tiers: [{above_input_tokens: 1000, input: 3, output: 4}]}
  - {provider: house, model: euros, input: 1, output: 2, currency: EUR}
exchange_rates: [{from: USD, to: EUR, rate: "0.9"}]
`,
  );
  billing = await startBillingForTest({ FAREBOX_PRICES: prices });
});
after(async () => {
  await billing[Symbol.asyncDispose]();
  await rm(home, { recursive: true });
});

const quotes = () => billing.client(BillingService);
const million = 1_000_000n;

// Figures computed by hand: nanos are 10^-9 dollars.
// biome-ignore format: a table is read by column
const cases: [name: string, provider: string, model: string, usage: Record<string, bigint>, costNanos: bigint][] = [
  ["a million prompt tokens",            "openai",    "gpt-4o-mini",                { inputTokens: million }, 150_000_000n],
  ["every bucket of a dated name",       "openai",    "gpt-4o-mini-2024-07-18",     { inputTokens: 1000n, cacheReadTokens: 2000n, outputTokens: 300n, reasoningTokens: 50n }, 150_000n + 150_000n + 180_000n + 30_000n],
  ["both cache writes",                  "anthropic", "claude-sonnet-4-20250514",   { cacheWriteTokens: 1000n, cacheWrite1hTokens: 1000n, cacheReadTokens: 1000n }, 3_750_000n + 6_000_000n + 300_000n],
  ["a prompt at the tier's threshold",   "house",     "long",                       { inputTokens: 400n, cacheReadTokens: 600n, outputTokens: 10n }, 1_020_000n],
  ["a prompt one token above it",        "house",     "long",                       { inputTokens: 401n, cacheReadTokens: 600n, outputTokens: 10n }, 3_003_000n + 40_000n],
  ["a fraction of a nano, rounded up",   "house",     "tiny",                       { inputTokens: 1n }, 100n],
  ["a fee for the request",              "house",     "tiny",                       { requests: 1n }, 1n],
  ["nothing",                            "openai",    "gpt-4o-mini",                {}, 0n],
];

describe("QuoteUsage", () => {
  for (const [name, provider, model, usage, costNanos] of cases) {
    it(`prices ${name}`, async () => {
      const { cost, snapshot, difference } = await quotes().quoteUsage({ provider, model, usage });
      assert.deepEqual([cost?.currencyCode, cost?.amountNanos], ["USD", costNanos]);
      assert.match(snapshot?.id ?? "", /^prs_[0-9a-f]{32}$/);
      assert.equal(difference, undefined);
    });
  }

  it("converts to the account's currency by the operator's rate, once rounded", async () => {
    const { accountId, key } = await openAccount(billing, { currencyCode: "EUR" });
    const usage = { inputTokens: 1n };
    const request = { provider: "openai", model: "gpt-4o-mini", usage };
    const dollars = await billing.client(BillingService, key).quoteUsage({ ...request, accountId });
    // 150 nanos × 0.9 = 135.
    assert.deepEqual([dollars.cost?.currencyCode, dollars.cost?.amountNanos], ["EUR", 135n]);
    assert.equal(dollars.snapshot?.exchangeRate, "0.9");
    const euros = await quotes().quoteUsage({
      ...request,
      provider: "house",
      model: "euros",
      accountId,
    });
    assert.deepEqual([euros.cost?.currencyCode, euros.cost?.amountNanos], ["EUR", 1000n]);
  });

  it("tells by how much the provider's own figure differs", async () => {
    const request = { provider: "openai", model: "gpt-4o-mini", usage: { inputTokens: 1000n } };
    for (const [reported, difference] of [
      [150_000n, 0n],
      [140_000n, 10_000n],
      [160_000n, -10_000n],
    ] as const) {
      const providerReportedCost = { currencyCode: "USD", amountNanos: reported };
      const quote = await quotes().quoteUsage({ ...request, providerReportedCost });
      assert.equal(quote.difference?.amountNanos, difference);
    }
    const providerReportedCost = { currencyCode: "EUR", amountNanos: 1n };
    await assert.rejects(quotes().quoteUsage({ ...request, providerReportedCost }), {
      reason: "CURRENCY_MISMATCH",
    });
  });

  // biome-ignore format: a table is read by column
  const refusals: [name: string, reason: string, change: object][] = [
    ["an unknown model",                  "MODEL_NOT_PRICED",      { model: "unheard-of" }],
    ["an unknown provider",               "MODEL_NOT_PRICED",      { provider: "nobody" }],
    ["an unknown account",                "ACCOUNT_NOT_FOUND",     { accountId: "acc_none" }],
    ["images that nobody prices",         "INVALID_ARGUMENT",      { usage: { images: 1n } }],
    ["a negative count",                  "INVALID_ARGUMENT",      { usage: { inputTokens: -1n } }],
    ["a count beyond any call",           "INVALID_ARGUMENT",      { usage: { inputTokens: 1_000_000_000_001n } }],
    ["no usage",                          "INVALID_ARGUMENT",      { usage: undefined }],
  ];
  for (const [name, reason, change] of refusals) {
    it(`refuses ${name}`, async () => {
      const request = { provider: "openai", model: "gpt-4o-mini", usage: {}, ...change };
      await assert.rejects(quotes().quoteUsage(request), { reason });
    });
  }

  it("refuses an account whose currency has no rate", async () => {
    const { accountId } = await openAccount(billing, { currencyCode: "JPY" });
    const request = { provider: "openai", model: "gpt-4o-mini", usage: {}, accountId };
    await assert.rejects(quotes().quoteUsage(request), {
      reason: "EXCHANGE_RATE_MISSING",
      metadata: { from: "USD", to: "JPY" },
    });
  });
});
