import type { Expiry } from "../domain/expire-due.ts";
import type { GrantPlan, LeaseAsk, PriorAsk } from "../domain/grant-plan.ts";
import type { Lease } from "../domain/lease.ts";
import { movePeriods } from "./free-period-store.ts";
import { inOneTrip, type Statements } from "./in-one-trip.ts";
import { insertLedger } from "./insert-ledger.ts";
import { type InsertColumn, insertRows } from "./insert-rows.ts";
import { moveWallets } from "./move-wallets.ts";
import { moveGrants } from "./open-grant-store.ts";
import {
  quoteHex,
  quoteHexOrNull,
  quoteText,
  quoteTime,
  quoteTimeOrNull,
  timeText,
} from "./sql-text.ts";
import { updateRows } from "./update-rows.ts";

/** Writes what granting asks changed, one statement a table, all in one round trip. */
export async function saveGrants(
  tx: Statements,
  plans: readonly GrantPlan[],
  nowMs: number,
): Promise<void> {
  const keys = plans.flatMap((plan) => plan.keys);
  await inOneTrip(tx, (trip) => [
    insertRows(
      trip,
      { table: "lease", columns: leaseColumns },
      plans.flatMap((plan) => plan.opened),
    ),
    extendLeases(
      trip,
      plans.flatMap((plan) => plan.extended),
    ),
    moveWallets(trip, plans),
    movePeriods(
      trip,
      plans.flatMap((plan) => plan.periods),
    ),
    saveExpiries(
      trip,
      plans.map((plan) => plan.expiry),
      nowMs,
    ),
    insertRows(trip, { table: "idempotency_key", columns: keyColumns(quoteTime(nowMs)) }, keys),
  ]);
}

/**
 * Writes what expired of grants, and its ledger entries; the wallets are moved by the caller. Two statements at once, so it
 * takes a trip: on a bare connection the second would run though the first had failed.
 */
export async function saveExpiries(
  trip: Statements,
  expiries: readonly Expiry[],
  nowMs: number,
): Promise<void> {
  const parts = expiries.flatMap((expiry) => expiry.parts);
  const entries = expiries.flatMap((expiry) => expiry.ledger);
  await Promise.all([
    moveGrants(
      trip,
      parts.map(({ grant, amount }) => ({ grant, used: 0n, expired: amount })),
    ),
    insertLedger(
      trip,
      entries.map((entry) => ({
        ...entry,
        kind: "GRANT_EXPIRED",
        debit: "customer_funds",
        credit: "promotions",
      })),
      nowMs,
    ),
  ]);
}

async function extendLeases(tx: Statements, extended: GrantPlan["extended"]): Promise<void> {
  const rows = extended.map(({ before, after }) => ({
    keys: [after.accountId, after.id],
    adds: [after.granted - before.granted, unitsOf(after) - unitsOf(before)],
    sets: [
      after.lastAsk,
      after.lastAskAdded,
      after.lastAskAddedUnits,
      after.validForMs,
      after.expireTimeMs === undefined ? null : timeText(after.expireTimeMs),
      after.free?.unit ?? null,
      after.free === undefined ? null : timeText(after.free.periodStartMs),
    ],
  }));
  await updateRows(tx, extensionShape, rows);
}

const extensionShape = {
  table: "lease",
  keys: [
    { name: "account_id", kind: "text" },
    { name: "id", kind: "hex" },
  ],
  adds: ["granted", "granted_units"],
  sets: [
    { name: "last_ask", kind: "hex" },
    { name: "last_ask_added", kind: "integer" },
    { name: "last_ask_added_units", kind: "integer" },
    { name: "valid_for_ms", kind: "integer" },
    { name: "expire_time", kind: "time" },
    { name: "free_unit", kind: "text" },
    { name: "period_start", kind: "time" },
  ],
} as const;

function unitsOf(lease: Lease): bigint {
  return lease.free?.granted ?? 0n;
}

type Opened = GrantPlan["opened"][number];

const leaseColumns: readonly InsertColumn<Opened>[] = [
  { name: "account_id", literal: ({ lease }) => quoteText(lease.accountId) },
  { name: "id", literal: ({ lease }) => quoteHex(lease.id) },
  { name: "service", literal: ({ lease }) => quoteText(lease.service) },
  { name: "state", literal: ({ lease }) => quoteText(lease.state) },
  { name: "gateway_id", literal: ({ lease }) => quoteHexOrNull(lease.gatewayId), usual: "NULL" },
  { name: "gateway_epoch", literal: ({ lease }) => String(lease.gatewayEpoch), usual: "0" },
  { name: "granted", literal: ({ lease }) => String(lease.granted) },
  {
    name: "free_unit",
    literal: ({ lease }) => (lease.free ? quoteText(lease.free.unit) : "NULL"),
    usual: "NULL",
  },
  {
    name: "period_start",
    literal: ({ lease }) => quoteTimeOrNull(lease.free?.periodStartMs),
    usual: "NULL",
  },
  { name: "granted_units", literal: ({ lease }) => String(unitsOf(lease)), usual: "0" },
  { name: "last_ask", literal: ({ lease }) => quoteHexOrNull(lease.lastAsk) },
  { name: "last_ask_added", literal: ({ lease }) => String(lease.lastAskAdded) },
  {
    name: "last_ask_added_units",
    literal: ({ lease }) => String(lease.lastAskAddedUnits),
    usual: "0",
  },
  { name: "valid_for_ms", literal: ({ lease }) => String(lease.validForMs) },
  {
    name: "expire_time",
    literal: ({ lease }) => quoteTimeOrNull(lease.expireTimeMs),
    usual: "NULL",
  },
  { name: "api_key_id", literal: ({ ask }) => quoteText(ask.apiKeyId), usual: "''" },
  { name: "user_id", literal: ({ ask }) => quoteText(ask.userId), usual: "''" },
  { name: "create_time", literal: ({ lease }) => quoteTime(lease.createTimeMs) },
];

type Key = { readonly ask: LeaseAsk; readonly prior: PriorAsk };

function keyColumns(createTime: string): readonly InsertColumn<Key>[] {
  return [
    { name: "account_id", literal: ({ ask }) => quoteText(ask.accountId) },
    { name: "method", literal: () => "'CheckQuota'" },
    { name: "request_id", literal: ({ ask }) => quoteText(ask.requestId) },
    { name: "sha256", literal: ({ ask }) => quoteHex(ask.sha256) },
    { name: "result", literal: ({ prior }) => quoteHex(priorHex(prior)) },
    { name: "create_time", literal: () => createTime },
  ];
}

/** 16 bytes of the lease, then what was added to it: money and units, 8 bytes each. */
function priorHex({ leaseId, added, addedUnits }: PriorAsk): string {
  const amounts = Buffer.alloc(16);
  amounts.writeBigInt64BE(added, 0);
  amounts.writeBigInt64BE(addedUnits, 8);
  return leaseId + amounts.toString("hex");
}
