import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createGrpcClient } from "@farebox/kit/grpc-client";
import { BillingService } from "@farebox/proto/farebox/billing/v1/billing_service";
import { openStack, type Stack } from "../src/stack/open-stack.ts";
import { type OpenBrowser, openBrowser } from "./open-browser.ts";

// What a customer does with the whole stack: begins a top-up with the account's own key, pays in a browser, and is credited.

const home = mkdtempSync(join(tmpdir(), "farebox-top-up-"));
let stack: Stack;
let browser: OpenBrowser;

before(async () => {
  browser = await openBrowser();
  stack = await openStack({
    home,
    given: {},
    log: () => undefined,
    plan: { hasRandomPorts: true, payments: "emulator" },
  });
});

after(async () => {
  await browser?.[Symbol.asyncDispose]();
  await stack?.[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

/** Runs in the page. */
const isCredited = "document.body.textContent.includes('credited to the account')";

/** Calls the gateway's edge with the demo account's own key. */
async function call(method: string, request: object): Promise<Readonly<Record<string, unknown>>> {
  const { gatewayUrl, demoApiKey } = stack.dev;
  const answer = await fetch(`${gatewayUrl}/farebox.${method}`, {
    method: "POST",
    headers: { authorization: `Bearer ${demoApiKey}`, "content-type": "application/json" },
    body: JSON.stringify(request),
    signal: AbortSignal.timeout(30_000),
  });
  const body: unknown = await answer.json();
  assert.equal(answer.status, 200, JSON.stringify(body));
  assert(typeof body === "object" && body !== null);
  return { ...body };
}

const tenDollars = { amountNanos: "10000000000", currencyCode: "USD" };

async function beginTopUp(requestId: string): Promise<string> {
  const request = { requestId, amount: tenDollars };
  const { paymentUrl } = await call("billing.v1.BillingService/Recharge", request);
  return String(paymentUrl);
}

async function credited(): Promise<bigint> {
  const { billingAddress, demoApiKey, demoAccountId: accountId } = stack.dev;
  using client = createGrpcClientOf(billingAddress, demoApiKey);
  const { balance } = await client.billing.checkBalance({ accountId });
  return balance?.credited?.amountNanos ?? 0n;
}

function createGrpcClientOf(address: string, key: string) {
  const metadata = { authorization: `Bearer ${key}` };
  const billing = createGrpcClient(BillingService, { address, metadata, deadlineMs: 10_000 });
  return { billing, [Symbol.dispose]: () => billing.close() };
}

test("a top-up is paid in a browser and credited", async () => {
  const before = await credited();
  const page = await browser.newPage();
  await page.goto(await beginTopUp("browser-1"));
  assert.match(await page.$eval("main", (main) => main.textContent ?? ""), /TEST MODE/);
  assert.match(await page.$eval("h1", (title) => title.textContent ?? ""), /Pay 10 USD/);
  await Promise.all([page.waitForNavigation(), page.click("button[type=submit]")]);
  assert.match(page.url(), /\/return\?payment=pay_[0-9a-f]{32}$/);
  await page.waitForFunction(isCredited);
  assert.match(await page.$eval("main", (main) => main.textContent ?? ""), /Test mode/);
  assert.equal(await credited(), before + 10_000_000_000n);
});

test("a declined card is told to the payer, who can pay with another", async () => {
  const before = await credited();
  const page = await browser.newPage();
  await page.goto(await beginTopUp("browser-2"));
  const number = async (digits: string) => {
    await page.$eval("input[name=card]", (input) => {
      input.value = "";
    });
    await page.type("input[name=card]", digits);
    await Promise.all([page.waitForNavigation(), page.click("button[type=submit]")]);
  };
  await number("4000000000000002");
  assert.match(await page.$eval("[role=alert]", (it) => it.textContent ?? ""), /declined/);
  assert.equal(await credited(), before);
  await number("4242424242424242");
  await page.waitForFunction(isCredited);
  assert.equal(await credited(), before + 10_000_000_000n);
});

test("a page left open shows that the money has not come, and shows no key", async () => {
  const url = await beginTopUp("browser-3");
  const page = await browser.newPage();
  await page.goto(url);
  const [cancel] = await page.$$("a");
  assert(cancel);
  await Promise.all([page.waitForNavigation(), cancel.click()]);
  const shown = await page.content();
  assert.match(shown, /have not arrived yet/);
  assert.ok(!shown.includes(stack.dev.demoApiKey) && !shown.includes(stack.dev.demoAccountId));
});

test("a card is saved in a browser, and pays from then on without the payer", async () => {
  const before = await credited();
  const service = "payment.v1.PaymentService";
  const { setupUrl } = await call(`${service}/AddPaymentMethod`, { requestId: "browser-4" });
  const page = await browser.newPage();
  await page.goto(String(setupUrl));
  assert.match(await page.$eval("main", (main) => main.textContent ?? ""), /TEST MODE/);
  assert.match(await page.$eval("h1", (title) => title.textContent ?? ""), /Save a card/);
  await Promise.all([page.waitForNavigation(), page.click("button[type=submit]")]);
  assert.match(page.url(), /\/return\?setup=pms_[0-9a-f]{32}$/);
  await page.waitForFunction("document.body.textContent.includes('The card is saved')");
  const { paymentMethods } = await call(`${service}/ListPaymentMethods`, {});
  assert(Array.isArray(paymentMethods));
  const [card]: readonly { readonly id?: string; readonly last4?: string }[] = paymentMethods;
  assert.equal(card?.last4, "4242");
  const request = { requestId: "browser-5", amount: tenDollars, paymentMethodId: card?.id };
  const { order } = await call("billing.v1.BillingService/Recharge", request);
  assert.partialDeepStrictEqual(order, { state: "RECHARGE_STATE_CREDITED" });
  assert.equal(await credited(), before + 10_000_000_000n);
});
