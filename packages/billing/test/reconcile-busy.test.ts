import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { systemClock } from "@farebox/kit/clock";
import { newUuid } from "@farebox/kit/ids";
import { createLogger } from "@farebox/kit/logger";
import { createMetrics } from "@farebox/kit/metrics";
import type { TestDatabase } from "@farebox/kit/testing/mysql";
import { createMoneyEvents } from "../src/events.ts";
import { reconcileAccounts } from "../src/operations/reconcile-accounts.ts";
import { releaseLeases } from "../src/operations/release-leases.ts";
import { runReconciliation } from "../src/operations/run-reconciliation.ts";
import { settleItems } from "../src/operations/settle-items.ts";
import { createAccountFacts } from "../src/store/account-facts.ts";
import { createSnapshotPrices } from "../src/store/snapshot-prices.ts";
import { leaseFixture } from "./lease-fixture.ts";
import { openBillingDatabase } from "./open-billing-database.ts";
import { usageItem, writeNanoPrice } from "./usage-fixture.ts";

let database: TestDatabase;
before(async () => {
  database = await openBillingDatabase();
});
after(() => database[Symbol.asyncDispose]());

test("sees no drift in a system that settles, resends, grants and releases all the while", async () => {
  const { pool } = database;
  const rows = leaseFixture(pool, systemClock);
  const priceSnapshotId = await writeNanoPrice(pool);
  const log = createLogger({ name: "test", level: "silent" });
  const settleDeps = {
    pool,
    clock: systemClock,
    facts: createAccountFacts(pool),
    prices: createSnapshotPrices(pool),
    events: createMoneyEvents({ log, metrics: createMetrics() }),
    oldestKeptDayMs: () => 0,
  };
  const accounts = await Promise.all(Array.from({ length: 8 }, () => rows.account(5_000)));
  const gateway = newUuid();
  let isBusy = true;

  /** Works on one account: some calls fit their lease, some exceed it, some have none, some come twice. */
  const work = async (accountId: string) => {
    for (let round = 0; round < 25; round += 1) {
      const lease = await rows.gatewayLease(accountId, gateway, 1n, 60);
      const items = Array.from({ length: 12 }, (_, index) =>
        usageItem({
          accountId,
          priceSnapshotId,
          leaseId: index % 4 === 0 ? "" : lease.toString("hex"),
          cost: (index * 7 + round) % 13,
        }),
      );
      // One that cannot be charged, every now and then.
      if (round % 5 === 0)
        items.push(
          usageItem({
            accountId,
            priceSnapshotId,
            leaseId: lease.toString("hex"),
            cost: 3,
            costNanos: 4n,
          }),
        );
      await Promise.all([
        settleItems(settleDeps, { items }),
        settleItems(settleDeps, { items: items.slice(3) }),
      ]);
      await releaseLeases(settleDeps, {
        leases: [{ accountId, id: lease.toString("hex") }],
        state: "CLOSED",
      });
    }
  };
  const working = Promise.all(accounts.map(work)).finally(() => {
    isBusy = false;
  });
  const deps = { pool, clock: systemClock, retentionDays: 90 };
  let looks = 0;
  while (isBusy) {
    const { drifts } = await reconcileAccounts(deps, { accountIds: accounts, isDeep: true });
    assert.deepEqual(drifts, []);
    looks += 1;
  }
  await working;
  assert.ok(looks > 3, "it was looked at while it was busy");
  const report = await runReconciliation(deps, {
    accountId: "",
    signal: new AbortController().signal,
  });
  assert.deepEqual(report, { accountsCount: 8, drifts: [], driftsCount: 0 });
});
