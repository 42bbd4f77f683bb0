import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { systemClock } from "@farebox/kit/clock";
import { formatId, newUuid } from "@farebox/kit/ids";
import { createPageTokens } from "@farebox/kit/page-token";
import type { Caller } from "@farebox/kit/rpc-context";
import { serviceMount } from "@farebox/kit/service-mount";
import type { TestDatabase } from "@farebox/kit/testing/mysql";
import { serveForTest, type TestServer } from "@farebox/kit/testing/rpc";
import {
  DeadLetterState,
  OperationsService,
} from "@farebox/proto/farebox/billing/v1/operations_service";
import { ErrorReason } from "@farebox/proto/farebox/common/v1/error_reason";
import { createItemDecoder } from "../src/rpc/decode-usage-item.ts";
import { operationsService } from "../src/rpc/operations-service.ts";
import { createAccountFacts } from "../src/store/account-facts.ts";
import { createSnapshotPrices } from "../src/store/snapshot-prices.ts";
import { openBillingDatabase } from "./open-billing-database.ts";
import { writeSoundAccount } from "./sound-account.ts";

const customer: Caller = {
  kind: "key",
  apiKeyId: "key_1",
  accountId: "acc_1",
  userId: "",
  scopes: new Set(["BILLING_READ", "BILLING_WRITE"]),
};
let database: TestDatabase;
let server: TestServer;
before(async () => {
  database = await openBillingDatabase();
  const { pool } = database;
  const service = operationsService({
    pool,
    clock: systemClock,
    retentionDays: 90,
    pageTokens: createPageTokens(["a-key-for-tests-only"]),
    facts: createAccountFacts(pool),
    prices: createSnapshotPrices(pool),
    oldestKeptDayMs: () => 0,
    decodeItem: createItemDecoder(),
  });
  server = await serveForTest([serviceMount(OperationsService, service)], { customer });
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

test("lists, replays and voids dead letters, and proves the money after each", async () => {
  const { accountId } = await writeSoundAccount(database.pool);
  const client = server.client(OperationsService);
  const { deadLetters } = await client.listDeadLetters({ accountId });
  const [letter] = deadLetters;
  assert.ok(letter);
  assert.deepEqual(
    [letter.reason, letter.held?.currencyCode, letter.held?.amountNanos, letter.state],
    [ErrorReason.COST_MISMATCH, "USD", 20n, DeadLetterState.OPEN],
  );
  const deadLetterId = letter.id;
  await assert.rejects(client.replayDeadLetter({ deadLetterId }), { reason: "INVALID_ARGUMENT" });
  const { deadLetter } = await client.voidDeadLetter({ deadLetterId });
  assert.deepEqual(
    [deadLetter?.state, deadLetter?.held?.amountNanos],
    [DeadLetterState.VOIDED, 0n],
  );
  await assert.rejects(client.voidDeadLetter({ deadLetterId }), { reason: "DEAD_LETTER_CLOSED" });
  await assert.rejects(client.replayDeadLetter({ deadLetterId }), { reason: "DEAD_LETTER_CLOSED" });
  const report = await client.runReconciliation({ accountId });
  assert.deepEqual([report.accountsCount, report.drifts, report.driftsCount], [1n, [], 0n]);
});

test("lists what does not agree, in nanos", async () => {
  const { accountId } = await writeSoundAccount(database.pool);
  await database.pool.query("UPDATE balance SET open_leases = 7 WHERE account_id = ?", [accountId]);
  const { drifts, driftsCount } = await server.client(OperationsService).runReconciliation({});
  assert.deepEqual(
    [drifts.map(({ $typeName, ...drift }) => drift), driftsCount],
    [[{ accountId, law: "open_leases_counted", subject: "", expected: 2n, actual: 7n }], 1n],
  );
});

test("refuses customers, and dead letters that are not there", async () => {
  const asCustomer = server.client(OperationsService, "customer");
  await assert.rejects(asCustomer.runReconciliation({}), { reason: "PERMISSION_DENIED" });
  await assert.rejects(asCustomer.listDeadLetters({}), { reason: "PERMISSION_DENIED" });
  const deadLetterId = formatId("dlt", newUuid());
  const client = server.client(OperationsService);
  await assert.rejects(client.voidDeadLetter({ deadLetterId }), {
    reason: "DEAD_LETTER_NOT_FOUND",
  });
  await assert.rejects(client.voidDeadLetter({ deadLetterId: "dlt_1" }), {
    reason: "INVALID_ARGUMENT",
  });
});
