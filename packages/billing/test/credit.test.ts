import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { GrantKind, LedgerKind } from "@farebox/proto/farebox/billing/v1/account";
import { AccountService } from "@farebox/proto/farebox/billing/v1/account_service";
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

const accounts = (key?: string) => billing.client(AccountService, key);
const inHours = (hours: number) => timestampFromMs(Date.now() + hours * 3_600_000);

describe("GrantCredit", () => {
  it("adds once for any number of equal calls at once", async () => {
    const { accountId } = await openAccount(billing);
    const request = { requestId: uniqueRequest(), accountId, amount: { amountNanos: 500n } };
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => accounts().grantCredit(request)),
    );
    assert.equal(new Set(answers.map((it) => it.grant?.id)).size, 1);
    const { balance } = await accounts().getAccount({ accountId });
    assert.deepEqual(
      [balance?.available?.amountNanos, balance?.credited?.amountNanos],
      [500n, 500n],
    );
    assert.equal(answers[0]?.grant?.kind, GrantKind.PROMOTIONAL);
    await assert.rejects(accounts().grantCredit({ ...request, priority: 1 }), {
      reason: "REQUEST_ID_REUSED",
    });
  });

  it("refuses an id that differs from another by a space at its end, in place of failing", async () => {
    const { accountId } = await openAccount(billing);
    const requestId = uniqueRequest();
    const request = { requestId, accountId, amount: { amountNanos: 5n } };
    await accounts().grantCredit(request);
    const padded = { ...request, requestId: `${requestId} ` };
    await assert.rejects(accounts().grantCredit(padded), {
      reason: "INVALID_ARGUMENT",
      metadata: { field: "request_id" },
    });
  });

  // biome-ignore format: a table is read by column
  const faults: [name: string, reason: string, change: object][] = [
    ["nothing",                  "INVALID_ARGUMENT",  { amount: { amountNanos: 0n } }],
    ["a negative amount",        "INVALID_ARGUMENT",  { amount: { amountNanos: -1n } }],
    ["more than an amount can be", "INVALID_ARGUMENT", { amount: { amountNanos: 9_000_000_000_000_000_001n } }],
    ["another currency",         "CURRENCY_MISMATCH", { amount: { currencyCode: "EUR", amountNanos: 1n } }],
    ["an end that has passed",   "INVALID_ARGUMENT",  { expireTime: timestampFromMs(1) }],
    ["an end before time began", "INVALID_ARGUMENT",  { expireTime: { seconds: -1n } }],
    ["an unknown account",       "ACCOUNT_NOT_FOUND", { accountId: "acc_none" }],
  ];
  for (const [name, reason, change] of faults) {
    it(`refuses ${name}`, async () => {
      const { accountId } = await openAccount(billing);
      const request = { requestId: uniqueRequest(), accountId, amount: { amountNanos: 1n } };
      await assert.rejects(accounts().grantCredit({ ...request, ...change }), { reason });
    });
  }
});

describe("ListCreditGrants", () => {
  it("lists open grants in the order that they are used, page by page", async () => {
    const { accountId, key } = await openAccount(billing);
    // biome-ignore format: a table is read by column
    const given: [amount: bigint, priority: number, hours: number | undefined][] = [
      [1n, 0, undefined],
      [2n, 0, 2],
      [3n, 5, undefined],
      [4n, 0, 1],
      [5n, 5, 9],
      [6n, 0, undefined],
      [7n, -3, 1],
    ];
    for (const [amountNanos, priority, hours] of given) {
      await accounts().grantCredit({
        requestId: uniqueRequest(),
        accountId,
        amount: { amountNanos },
        priority,
        ...(hours !== undefined && { expireTime: inHours(hours) }),
      });
    }
    const inUse = [5n, 3n, 4n, 2n, 1n, 6n, 7n];
    for (const pageSize of [1, 2, 500]) {
      assert.deepEqual(await amounts(key, { pageSize }), inUse);
    }
    const byAge = given.map(([amount]) => amount).reverse();
    assert.deepEqual(await amounts(key, { pageSize: 2, includeFinished: true }), byAge);
    await billing.pool.query(
      "UPDATE credit_grant SET expire_time = '2020-01-01' WHERE account_id = ? AND amount = 4",
      [accountId],
    );
    assert.deepEqual(
      await amounts(key, { pageSize: 3 }),
      inUse.filter((it) => it !== 4n),
    );
  });

  async function amounts(
    key: string,
    request: { pageSize: number; includeFinished?: boolean },
  ): Promise<readonly (bigint | undefined)[]> {
    const seen: (bigint | undefined)[] = [];
    let pageToken = "";
    do {
      const page = await accounts(key).listCreditGrants({ ...request, pageToken });
      seen.push(...page.grants.map((grant) => grant.amount?.amountNanos));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return seen;
  }
});

describe("ListLedgerEntries", () => {
  it("lists every change once, newest first, summing to the funds", async () => {
    const { accountId, key } = await openAccount(billing);
    for (const amountNanos of [1n, 20n, 300n]) {
      const request = { requestId: uniqueRequest(), accountId, amount: { amountNanos } };
      await accounts().grantCredit(request);
    }
    const seen: bigint[] = [];
    const after: bigint[] = [];
    let pageToken = "";
    do {
      const page = await accounts(key).listLedgerEntries({ pageSize: 2, pageToken });
      for (const entry of page.entries) {
        assert.deepEqual([entry.kind, entry.accountId], [LedgerKind.GRANT, accountId]);
        seen.push(entry.amount?.amountNanos ?? 0n);
        after.push(entry.balanceAfter?.amountNanos ?? 0n);
      }
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    assert.deepEqual(
      [seen, after],
      [
        [300n, 20n, 1n],
        [321n, 21n, 1n],
      ],
    );
    const none = await accounts(key).listLedgerEntries({ kind: LedgerKind.USAGE });
    assert.deepEqual(none.entries, []);
    const past = await accounts(key).listLedgerEntries({ endTime: timestampFromMs(1) });
    assert.deepEqual(past.entries, []);
    const recent = await accounts(key).listLedgerEntries({ startTime: inHours(-1) });
    assert.equal(recent.entries.length, 3);
  });
});
