import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { AccountService } from "@farebox/proto/farebox/billing/v1/account_service";
import { BillingService, Decision } from "@farebox/proto/farebox/billing/v1/billing_service";
import { LeaseState } from "@farebox/proto/farebox/billing/v1/lease";
import { SettleStatus } from "@farebox/proto/farebox/billing/v1/usage";
import { ErrorReason } from "@farebox/proto/farebox/common/v1/error_reason";
import {
  type BillingUnderTest,
  openAccount,
  startBillingForTest,
  uniqueRequest,
} from "./billing-under-test.ts";
import { assertConserved } from "./support/assert-conserved.ts";

let billing: BillingUnderTest;

before(async () => {
  billing = await startBillingForTest({ AUTO_CREATE_ACCOUNTS: "true" });
});
after(async () => {
  await assertConserved(billing.pool);
  await billing[Symbol.asyncDispose]();
});

const money = (amountNanos: bigint) => ({ amountNanos });

async function richAccount(amountNanos: bigint) {
  const opened = await openAccount(billing);
  await billing.client(AccountService).grantCredit({
    requestId: uniqueRequest(),
    accountId: opened.accountId,
    amount: money(amountNanos),
  });
  return { ...opened, client: billing.client(BillingService, opened.key) };
}

test("reserves, charges and closes through the wire, with every amount in the account's currency", async () => {
  const { accountId, client } = await richAccount(1_000n);
  const ask = { requestId: "r1", accountId, service: "llm", estimatedCost: money(300n) };
  const granted = await client.checkQuota(ask);
  assert.equal(granted.decision, Decision.ALLOW);
  assert.equal(granted.lease?.granted?.amountNanos, 300n);
  assert.equal(granted.reason, ErrorReason.INSUFFICIENT_BALANCE);
  assert.equal(granted.available?.amountNanos, 700n);
  assert.equal(granted.available?.currencyCode, "USD");
  assert.deepEqual((await client.checkQuota(ask)).lease, granted.lease);
  const leaseId = granted.lease?.id ?? "";
  const deducted = await client.deductQuota({
    requestId: "d1",
    accountId,
    leaseId,
    charges: [
      { requestId: "c1", amount: money(120n) },
      { requestId: "c2", amount: money(-1n) },
      { requestId: "c3", usage: { inputTokens: -1n }, provider: "p", model: "m" },
    ],
  });
  assert.deepEqual(
    deducted.results.map(({ status, reason, field, charged }) => [
      status,
      reason,
      field,
      charged?.amountNanos,
    ]),
    [
      [SettleStatus.APPLIED, ErrorReason.UNSPECIFIED, "", 120n],
      [SettleStatus.REJECTED, ErrorReason.INVALID_ARGUMENT, "amount", 0n],
      [SettleStatus.REJECTED, ErrorReason.INVALID_ARGUMENT, "usage.input_tokens", 0n],
    ],
  );
  const released = await client.releaseQuota({ requestId: "x", accountId, leaseId });
  assert.equal(released.lease?.state, LeaseState.CLOSED);
  assert.equal(released.released?.amountNanos, 180n);
  const { balance } = await client.checkBalance({});
  assert.equal(balance?.available?.amountNanos, 880n);
  assert.equal(balance?.spent?.amountNanos, 120n);
});

test("answers a denial as a decision with a reason, not as an error", async () => {
  const { accountId, client } = await richAccount(10n);
  const answer = await client.checkQuota({
    requestId: "r",
    accountId,
    service: "llm",
    estimatedCost: money(11n),
  });
  assert.equal(answer.decision, Decision.DENY);
  assert.equal(answer.reason, ErrorReason.INSUFFICIENT_BALANCE);
  assert.equal(answer.lease, undefined);
});

test("refuses what is not valid by field, and hides other accounts", async () => {
  const { accountId, client } = await richAccount(10n);
  const other = await richAccount(10n);
  const ask = { requestId: "r", accountId, service: "llm", estimatedCost: money(1n) };
  const field = (name: string) => ({ reason: "INVALID_ARGUMENT", metadata: { field: name } });
  await assert.rejects(
    client.checkQuota({ ...ask, estimatedCost: money(-1n) }),
    field("estimated_cost"),
  );
  await assert.rejects(
    client.checkQuota({ ...ask, gatewayId: `gtw_${"0".repeat(32)}`, gatewayEpoch: 1n }),
    field("gateway_id"),
  );
  await assert.rejects(client.checkQuota({ ...ask, accountId: other.accountId }), {
    reason: "ACCOUNT_NOT_FOUND",
  });
  const dollars = { currencyCode: "EUR", amountNanos: 1n };
  await assert.rejects(client.checkQuota({ ...ask, estimatedCost: dollars }), {
    reason: "CURRENCY_MISMATCH",
  });
  await assert.rejects(client.checkBalance({ accountId: other.accountId }), {
    reason: "ACCOUNT_NOT_FOUND",
  });
  await assert.rejects(
    client.releaseQuota({ requestId: "x", accountId, leaseId: `lse_${"0".repeat(32)}` }),
    { reason: "LEASE_NOT_FOUND" },
  );
});

test("grants exactly K of 500 parallel asks through the wire", async () => {
  const { accountId, client } = await richAccount(100n);
  const answers = await Promise.all(
    Array.from({ length: 500 }, (_, index) =>
      client.checkQuota({
        requestId: `r${index}`,
        accountId,
        service: "llm",
        estimatedCost: money(3n),
      }),
    ),
  );
  assert.equal(answers.filter((answer) => answer.decision === Decision.ALLOW).length, 33);
});

test("makes an account that a service names for the first time, and none that a key names", async () => {
  const service = billing.client(BillingService);
  const accountId = `customer:${uniqueRequest()}`;
  const answer = await service.checkQuota({
    requestId: "r",
    accountId,
    service: "llm",
    estimatedCost: money(0n),
  });
  assert.equal(answer.decision, Decision.ALLOW);
  const { balance } = await service.checkBalance({ accountId });
  assert.equal(balance?.available?.amountNanos, 0n);
  await assert.rejects(service.checkBalance({ accountId: "customer:never-named" }), {
    reason: "ACCOUNT_NOT_FOUND",
  });
});
