import assert from "node:assert/strict";
import { test } from "node:test";
import { minNanos } from "@farebox/kit/money";
import fc from "fast-check";
import { emptyBalance } from "./account.ts";
import { spendableOf, type Wallet } from "./balance-moves.ts";
import type { Lease } from "./lease.ts";
import {
  type Ask,
  type AskDecision,
  type AskWorld,
  decideAsk,
  reasonToDeny,
} from "./lease-slice.ts";

const ask = (more: Partial<Ask> = {}): Ask => ({
  estimated: 10n,
  minimum: undefined,
  wantSlice: 0n,
  unitsNeeded: 1n,
  unitsWanted: 0n,
  isSlice: false,
  epoch: 0n,
  ...more,
});
const slice = (wantSlice: bigint, more: Partial<Ask> = {}) =>
  ask({ wantSlice, isSlice: true, ...more });

const wallet = (available: bigint, more: Partial<Wallet> = {}): Wallet => ({
  ...emptyBalance,
  available,
  credited: available,
  overdraftLimit: 0n,
  openLeases: 0,
  openGrants: 0,
  ...more,
});
const world = (
  available: bigint,
  more: Partial<AskWorld> & { wallet?: Wallet } = {},
): AskWorld => ({
  wallet: wallet(available),
  unitsAvailable: undefined,
  prior: undefined,
  extended: "none",
  ...more,
});
const debtor = wallet(0n, { spent: 5n, receivable: 5n, credited: 0n });
const lease: Lease = {
  accountId: "a",
  id: "1",
  service: "llm",
  state: "OPEN",
  gatewayId: "",
  gatewayEpoch: 0n,
  granted: 0n,
  settled: 0n,
  released: 0n,
  deadLettered: 0n,
  free: undefined,
  lastAsk: "",
  lastAskAdded: 0n,
  lastAskAddedUnits: 0n,
  validForMs: 1,
  expireTimeMs: undefined,
  createTimeMs: 0,
};

const grant = (added: bigint, addedUnits = 0n, isFinal = false): AskDecision => ({
  kind: "grant",
  added,
  addedUnits,
  isFinal,
});
const deny = (
  reason: "INSUFFICIENT_BALANCE" | "INSUFFICIENT_QUOTA" | "ACCOUNT_IN_DEBT",
): AskDecision => ({
  kind: "deny",
  reason,
});
const refuse = (
  reason: "REQUEST_ID_REUSED" | "LEASE_NOT_FOUND" | "LEASE_NOT_OPEN" | "EPOCH_STALE",
): AskDecision => ({ kind: "refuse", reason });

// biome-ignore format: a decision table is read by column
const cases: [name: string, ask: Ask, world: AskWorld, want: AskDecision][] = [
  ["answers a repeated ask as before",           ask(), world(0n, { prior: { isSame: true } }),                     { kind: "replay" }],
  ["refuses a repeated id with other content",   ask(), world(99n, { prior: { isSame: false } }),                   refuse("REQUEST_ID_REUSED")],
  ["refuses a lease that does not exist",        ask(), world(99n, { extended: undefined }),                        refuse("LEASE_NOT_FOUND")],
  ["refuses an epoch that is over",              ask({ epoch: 2n }), world(99n, { extended: lease }),               refuse("EPOCH_STALE")],
  ["refuses a lease that is closed",             ask(), world(99n, { extended: { ...lease, state: "CLOSED" } }),    refuse("LEASE_NOT_OPEN")],
  ["refuses a lease that is suspect",            ask(), world(99n, { extended: { ...lease, state: "SUSPECT" } }),   refuse("LEASE_NOT_OPEN")],
  ["extends an open lease",                      ask(), world(99n, { extended: lease }),                            grant(10n)],
  ["reserves exactly what is estimated",         ask(), world(11n),                                                 grant(10n)],
  ["says when that was all",                     ask(), world(10n),                                                 grant(10n, 0n, true)],
  ["denies what one nano is missing from",       ask(), world(9n),                                                  deny("INSUFFICIENT_BALANCE")],
  ["reserves nothing for work that costs none",  ask({ estimated: 0n }), world(0n),                                 grant(0n, 0n, true)],
  ["draws on the overdraft for the rest",        ask(), world(0n, { wallet: wallet(4n, { overdraftLimit: 8n }) }),  grant(10n)],
  ["denies an account in debt at its limit",     ask({ estimated: 0n }), world(0n, { wallet: debtor }),             deny("ACCOUNT_IN_DEBT")],
  ["gives less when less is of use",             ask({ minimum: 3n }), world(4n),                                   grant(4n, 0n, true)],
  ["denies less than is of use",                 ask({ minimum: 5n }), world(4n),                                   deny("INSUFFICIENT_BALANCE")],
  ["gives a slice beside the estimate",          slice(30n), world(200n),                                           grant(40n)],
  ["gives at most half of what there is",        slice(500n), world(200n),                                          grant(100n)],
  ["gives a fair share among the holders",       slice(500n), world(0n, { wallet: wallet(200n, { openLeases: 3 }) }), grant(25n)],
  ["counts the holder itself once",              slice(500n), world(0n, { wallet: wallet(200n, { openLeases: 1 }), extended: lease }), grant(100n)],
  ["gives the estimate even above the share",    slice(500n, { estimated: 90n }), world(100n),                      grant(90n)],
  ["is free when the units cover it",            ask(), world(0n, { unitsAvailable: 1n }),                          grant(0n, 1n, true)],
  ["is paid when the units do not cover it",     ask({ unitsNeeded: 5n }), world(10n, { unitsAvailable: 4n }),      grant(10n, 0n, true)],
  ["takes free units though it is in debt",      ask(), world(0n, { wallet: debtor, unitsAvailable: 3n }),          grant(0n, 1n)],
  ["denies who lives on a quota that is used up", ask(), world(0n, { unitsAvailable: 0n }),                         deny("INSUFFICIENT_QUOTA")],
  ["denies for the balance who ever had one",    ask(), world(4n, { unitsAvailable: 0n }),                          deny("INSUFFICIENT_BALANCE")],
  ["gives a gateway units and money",            slice(30n, { unitsNeeded: 2n, unitsWanted: 5n }), world(200n, { unitsAvailable: 100n }), grant(40n, 7n)],
  ["gives a gateway what units there are",       slice(30n, { unitsNeeded: 2n, unitsWanted: 5n }), world(200n, { unitsAvailable: 1n }), grant(40n, 1n)],
  ["gives a gateway units without money",        slice(30n, { unitsNeeded: 2n }), world(3n, { unitsAvailable: 9n }), grant(3n, 2n, true)],
  ["gives a gateway the last units for some of the calls that wait", slice(30n, { unitsNeeded: 40n }), world(0n, { unitsAvailable: 7n }), grant(0n, 7n, true)],
  ["gives the last units though money is too short for the rest", slice(30n, { unitsNeeded: 40n }), world(4n, { unitsAvailable: 7n }), grant(0n, 7n)],
  ["gives the last units to one in debt at its limit", slice(30n, { unitsNeeded: 40n }), world(0n, { wallet: debtor, unitsAvailable: 7n }), grant(0n, 7n, true)],
  ["makes no debt for calls that are free",      slice(30n), world(0n, { wallet: wallet(3n, { overdraftLimit: 5n }), unitsAvailable: 9n }), grant(3n, 1n)],
];

for (const [name, one, at, want] of cases) {
  test(name, () => assert.deepEqual(decideAsk(one, at), want));
}

test("says why there is no more, whatever is asked for and whenever", () => {
  const credited = wallet(0n, { credited: 5n });
  const reasons = [
    reasonToDeny({ wallet: wallet(0n), unitsAvailable: 0n }),
    reasonToDeny({ wallet: wallet(0n), unitsAvailable: 7n }),
    reasonToDeny({ wallet: credited, unitsAvailable: 0n }),
    reasonToDeny({ wallet: wallet(0n), unitsAvailable: undefined }),
    reasonToDeny({ wallet: debtor, unitsAvailable: 0n }),
  ];
  assert.deepEqual(reasons, [
    "INSUFFICIENT_QUOTA",
    "INSUFFICIENT_QUOTA",
    "INSUFFICIENT_BALANCE",
    "INSUFFICIENT_BALANCE",
    "ACCOUNT_IN_DEBT",
  ]);
});

test("never grants more than can be spent, nor less than is of use, nor denies what is there", () => {
  const amount = fc.bigInt({ min: 0n, max: 1000n });
  fc.assert(
    fc.property(
      amount,
      amount,
      amount,
      amount,
      fc.nat({ max: 9 }),
      (estimated, minimum, want, available, openLeases) => {
        const one = slice(want, { estimated, minimum });
        const at = world(0n, { wallet: wallet(available, { openLeases }) });
        const decision = decideAsk(one, at);
        const least = minNanos(minimum, estimated);
        if (available < least) assert.equal(decision.kind, "deny");
        else {
          assert(decision.kind === "grant");
          assert(decision.added <= spendableOf(at.wallet) && decision.added >= least);
          assert.equal(decision.isFinal, decision.added === available);
        }
      },
    ),
  );
});
