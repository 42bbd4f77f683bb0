import assert from "node:assert/strict";
import test from "node:test";
import { createMetrics } from "@farebox/kit/metrics";
import { demoCall } from "../../testing/attempt.ts";
import { FakeBilling } from "../../testing/fake-billing.ts";
import { journalDirectory } from "../../testing/journal.ts";
import { delivered, openTestBilling } from "../../testing/open-test-billing.ts";
import { meterBilling } from "./interceptor-metrics.ts";

test("figures become metrics when they are looked at, each difference once", async (t) => {
  const billing = new FakeBilling();
  billing.credit("acc", 1_000_000_000n);
  const open = await openTestBilling(billing, journalDirectory(t));
  await open.ready(AbortSignal.timeout(5000));
  const metrics = createMetrics();
  meterBilling(metrics, open);
  const caller = { accountId: "acc", apiKeyId: "key", userId: "" };
  const holds = [];
  for (let n = 0; n < 3; n++) holds.push(await open.interceptor.beforeRequest(caller, demoCall()));
  const during = await metrics.registry.metrics();
  assert.match(during, /^billing_calls_in_flight 3$/m);
  await Promise.all(holds.map((hold) => hold.settle(delivered(1))));
  await metrics.registry.metrics();
  const after = await metrics.registry.metrics();
  assert.match(after, /^billing_calls_in_flight 0$/m);
  assert.match(after, /^billing_journal_total\{kind="outcomes"\} 3$/m);
  assert.match(after, /^billing_admission_wait_seconds_count 1$/m);
  await open.close(AbortSignal.timeout(5000));
});
