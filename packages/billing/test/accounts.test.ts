import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { DisconnectPolicy } from "@farebox/proto/farebox/billing/v1/account";
import {
  AccountService,
  type CreateAccountRequestSchema,
} from "@farebox/proto/farebox/billing/v1/account_service";
import { CatalogService } from "@farebox/proto/farebox/billing/v1/catalog_service";
import {
  type BillingUnderTest,
  openAccount,
  startBillingForTest,
  uniqueRequest,
} from "./billing-under-test.ts";

let billing: BillingUnderTest;
before(async () => {
  billing = await startBillingForTest();
});
after(() => billing[Symbol.asyncDispose]());

const accounts = () => billing.client(AccountService);

type CreateAccount = Exclude<
  MessageInitShape<typeof CreateAccountRequestSchema>,
  { readonly $typeName: string }
>;

describe("CreateAccount", () => {
  const first: CreateAccount = {
    displayName: "客户 № 1 🎫",
    currencyCode: "EUR",
    tenantId: "tenant-1",
    overdraftLimit: { currencyCode: "EUR", amountNanos: 5n },
    disconnectPolicy: DisconnectPolicy.INPUT_ONLY,
  };

  it("makes one account for any number of equal calls at once", async () => {
    const requestId = uniqueRequest();
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => accounts().createAccount({ ...first, requestId })),
    );
    const [made] = answers;
    for (const answer of answers) assert.deepEqual(answer, made);
    assert.equal(made?.account?.displayName, first.displayName);
    const read = await accounts().getAccount({ accountId: made?.account?.id ?? "" });
    assert.deepEqual(read.account, made?.account);
    const nothing = { currencyCode: "EUR", amountNanos: 0n };
    for (const term of ["available", "held", "spent", "credited", "receivable"] as const) {
      const { currencyCode, amountNanos } = read.balance?.[term] ?? {};
      assert.deepEqual({ currencyCode, amountNanos }, nothing, term);
    }
  });

  it("refuses an id that differs from another by a space at its end, in place of failing", async () => {
    const requestId = uniqueRequest();
    await accounts().createAccount({ ...first, requestId });
    await assert.rejects(accounts().createAccount({ ...first, requestId: `${requestId} ` }), {
      reason: "INVALID_ARGUMENT",
      metadata: { field: "request_id" },
    });
  });

  const others: [what: string, change: CreateAccount][] = [
    ["name", { displayName: "another" }],
    ["currency", { currencyCode: "USD", overdraftLimit: { amountNanos: 5n } }],
    ["tenant", { tenantId: "tenant-2" }],
    ["limit", { overdraftLimit: { amountNanos: 6n } }],
    ["policy", { disconnectPolicy: DisconnectPolicy.NOTHING }],
  ];
  for (const [what, change] of others) {
    it(`refuses a request id that was used for another ${what}`, async () => {
      const requestId = uniqueRequest();
      await accounts().createAccount({ ...first, requestId });
      await assert.rejects(accounts().createAccount({ ...first, ...change, requestId }), {
        reason: "REQUEST_ID_REUSED",
      });
    });
  }

  // biome-ignore format: a table is read by column
  const faults: [field: string, reason: string, request: CreateAccount][] = [
    ["request_id",                   "INVALID_ARGUMENT",  { requestId: "" }],
    ["request_id",                   "INVALID_ARGUMENT",  { requestId: "x".repeat(129) }],
    ["request_id",                   "INVALID_ARGUMENT",  { requestId: "line\nbreak" }],
    ["display_name",                 "INVALID_ARGUMENT",  { displayName: "x".repeat(201) }],
    ["currency_code",                "INVALID_ARGUMENT",  { currencyCode: "usd" }],
    ["tenant_id",                    "INVALID_ARGUMENT",  { tenantId: "no spaces" }],
    ["overdraft_limit.amount_nanos", "INVALID_ARGUMENT",  { overdraftLimit: { amountNanos: -1n } }],
    ["overdraft_limit.amount_nanos", "INVALID_ARGUMENT",  { overdraftLimit: { amountNanos: 9_000_000_000_000_000_001n } }],
    ["overdraft_limit.currency_code", "CURRENCY_MISMATCH", { overdraftLimit: { currencyCode: "GBP", amountNanos: 1n } }],
    ["disconnect_policy",            "INVALID_ARGUMENT",  { disconnectPolicy: 9 as DisconnectPolicy }],
  ];
  for (const [field, reason, request] of faults) {
    it(`names ${field} at fault for ${reason}`, async () => {
      const call = accounts().createAccount({ ...first, requestId: uniqueRequest(), ...request });
      await assert.rejects(call, (error: { reason: string; metadata: Record<string, string> }) => {
        assert.deepEqual([error.reason, error.metadata.field], [reason, field]);
        return true;
      });
    });
  }
});

describe("amounts", () => {
  it("keep every digit, up to the largest", async () => {
    const { accountId } = await openAccount(billing);
    for (const amountNanos of [8_999_999_999_999_999_999n, 9_007_199_254_740_993n, 1n, 0n]) {
      await accounts().updateAccount({ accountId, overdraftLimit: { amountNanos } });
      const { account } = await accounts().getAccount({ accountId });
      assert.equal(account?.overdraftLimit?.amountNanos, amountNanos);
    }
  });
});

describe("UpdateAccount", () => {
  it("changes what is given and nothing else, and never the currency", async () => {
    const { accountId } = await openAccount(billing, { tenantId: "t" });
    const before = (await accounts().getAccount({ accountId })).account;
    const changed = await accounts().updateAccount({
      accountId,
      overdraftLimit: { amountNanos: 7n },
    });
    assert.equal(changed.account?.overdraftLimit?.amountNanos, 7n);
    assert.equal(changed.account?.displayName, before?.displayName);
    assert.equal(changed.account?.disconnectPolicy, DisconnectPolicy.PARTIAL);
    await accounts().updateAccount({ accountId, displayName: "" });
    assert.deepEqual((await accounts().getAccount({ accountId })).account, changed.account);
    const euros = { accountId, overdraftLimit: { currencyCode: "EUR", amountNanos: 7n } };
    await assert.rejects(accounts().updateAccount(euros), { reason: "CURRENCY_MISMATCH" });
    await assert.rejects(accounts().updateAccount({ accountId: "acc_none" }), {
      reason: "ACCOUNT_NOT_FOUND",
    });
  });
});

describe("ListAccounts", () => {
  it("goes through every account of a tenant once, also those made in one instant", async () => {
    const tenantId = "paged";
    const made = await Promise.all(
      Array.from({ length: 7 }, () => openAccount(billing, { tenantId })),
    );
    await billing.pool.query(
      "UPDATE account SET create_time = '2026-01-01 00:00:00.123' WHERE tenant_id = ?",
      [tenantId],
    );
    const seen: string[] = [];
    let pageToken = "";
    do {
      const page = await accounts().listAccounts({ tenantId, pageSize: 3, pageToken });
      assert.ok(page.accounts.length <= 3);
      seen.push(...page.accounts.map((account) => account.id));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    assert.deepEqual(
      seen,
      made
        .map(({ accountId }) => accountId)
        .sort()
        .reverse(),
    );
  });

  it("refuses a page token of another query, and one that was altered", async () => {
    const { nextPageToken } = await accounts().listAccounts({ tenantId: "paged", pageSize: 1 });
    assert.notEqual(nextPageToken, "");
    for (const [tenantId, pageToken] of [
      ["other", nextPageToken],
      ["paged", `${nextPageToken}x`],
      ["paged", "!"],
    ] as const) {
      await assert.rejects(accounts().listAccounts({ tenantId, pageToken }), {
        reason: "PAGE_TOKEN_INVALID",
      });
    }
  });
});

describe("GetAccount", () => {
  it("shows the free quotas of now, those not yet begun included", async () => {
    const { accountId, key } = await openAccount(billing);
    const catalog = billing.client(CatalogService);
    await catalog.setFreeQuota({ service: "shown", period: 1, unit: 1, amount: 100n });
    await catalog.setFreeQuota({ service: "ended", period: 1, unit: 1, amount: 0n });
    const own = await billing.client(AccountService, key).getAccount({});
    assert.equal(own.account?.id, accountId);
    const [quota, ...others] = own.freeQuotas.filter((it) => it.service !== "llm");
    assert.deepEqual(others, []);
    assert.equal(quota?.service, "shown");
    assert.deepEqual(
      [quota?.unitsGranted, quota?.unitsAvailable, quota?.unitsHeld, quota?.unitsUsed],
      [100n, 100n, 0n, 0n],
    );
    const start = Number(quota?.periodStart?.seconds);
    assert.equal(start % 86_400, 0);
    assert.equal(Number(quota?.periodEnd?.seconds), start + 86_400);
  });
});
