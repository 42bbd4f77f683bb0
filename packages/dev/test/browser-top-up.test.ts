import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Page } from "puppeteer-core";
import { type OpenBrowser, openBrowser } from "./open-browser.ts";
import { awaitCondition } from "../src/faults/await-condition.ts";
import { openStack, type Stack } from "../src/stack/open-stack.ts";

// What a customer does: begins a top-up with the account's key, pays in a browser, and sees the credit.

const home = mkdtempSync(join(tmpdir(), "farebox-top-up-"));
let stack: Stack;
let browser: OpenBrowser;

before(async () => {
  const plan = { hasRandomPorts: true, payments: "emulator" } as const;
  const given = { databaseUrl: undefined, redisUrl: undefined };
  [stack, browser] = await Promise.all([
    openStack({ home, given, log: () => undefined, plan }),
    openBrowser(),
  ]);
});

after(async () => {
  await browser?.[Symbol.asyncDispose]();
  await stack?.[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

async function call(method: string, request: object): Promise<Record<string, any>> {
  const answer = await fetch(`${stack.dev.gatewayUrl}/farebox.${method}`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${stack.dev.demoApiKey}`,
      "content-type": "application/json",
    },
    body: JSON.stringify(request),
    signal: AbortSignal.timeout(30_000),
  });
  const body = await answer.json();
  assert.equal(answer.status, 200, JSON.stringify(body));
  return body;
}

async function available(): Promise<bigint> {
  const { balance } = await call("billing.v1.BillingService/CheckBalance", {});
  return BigInt(balance.available.amountNanos);
}
