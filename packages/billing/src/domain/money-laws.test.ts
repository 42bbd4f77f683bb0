import assert from "node:assert/strict";
import { test } from "node:test";
import { noUsage } from "@farebox/pricing/usage";
import fc from "fast-check";
import { emptyBalance } from "./account.ts";
import { fundsOf, grant, type Wallet } from "./balance-moves.ts";
import { afterBurns, type OpenGrant } from "./burn-grants.ts";
import { planClose } from "./close-plan.ts";
import type { UnitPeriod } from "./free-units.ts";
import { type LeaseAsk, planGrants } from "./grant-plan.ts";
import { freePartOf, freeUnitsOf, isLive, type Lease } from "./lease.ts";
import { type JudgedItem, periodKey, planSettlement, type SettleWorld } from "./settle-plan.ts";
import type { DecodedItem } from "./usage-item.ts";

/** One account with everything that its rows would hold. */
type Account = {
  wallet: Wallet;
  leases: Map<string, Lease>;
  period: UnitPeriod;
  grants: readonly OpenGrant[];
  ledger: bigint;
  granted: bigint;
  settledIds: Set<string>;
  deadKeys: Set<string>;
  unitsSettled: bigint;
};

type Step =
  | { readonly kind: "credit"; readonly amount: bigint; readonly days: number | undefined }
  | {
      readonly kind: "ask";
      readonly estimated: bigint;
      readonly want: bigint;
      readonly units: bigint;
      readonly of: number;
    }
  | {
      readonly kind: "settle";
      readonly costs: readonly bigint[];
      readonly units: number;
      readonly of: number;
      readonly isBad: boolean;
    }
  | { readonly kind: "close"; readonly of: number }
  | { readonly kind: "wait"; readonly days: number };

const amount = fc.bigInt({ min: 0n, max: 200n });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant("credit" as const),
    amount: fc.bigInt({ min: 1n, max: 300n }),
    days: fc.option(fc.nat({ max: 5 }), { nil: undefined }),
  }),
  fc.record({
    kind: fc.constant("ask" as const),
    estimated: amount,
    want: amount,
    units: fc.bigInt({ min: 0n, max: 9n }),
    of: fc.nat({ max: 6 }),
  }),
  fc.record({
    kind: fc.constant("settle" as const),
    costs: fc.array(amount, { maxLength: 5 }),
    units: fc.nat({ max: 9 }),
    of: fc.nat({ max: 6 }),
    isBad: fc.boolean(),
  }),
  fc.record({ kind: fc.constant("close" as const), of: fc.nat({ max: 6 }) }),
  fc.record({ kind: fc.constant("wait" as const), days: fc.nat({ max: 3 }) }),
);

const periodOf = (): UnitPeriod => ({
  accountId: "a",
  service: "llm",
  startMs: 0,
  endMs: undefined,
  unit: "TOKENS",
  granted: 30n,
  available: 30n,
  held: 0n,
  used: 0n,
  writtenOff: 0n,
});

test("random lives of an account keep every law, whatever comes twice or late", () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 40 }),
      fc.bigInt({ min: 0n, max: 100n }),
      (steps, overdraftLimit) => {
        const account = open(overdraftLimit);
        let nowMs = 0;
        let serial = 0;
        for (const one of steps) {
          serial += 1;
          if (one.kind === "wait") nowMs += one.days;
          else take(account, one, nowMs, serial);
          assertLaws(account);
        }
      },
    ),
    { numRuns: 400 },
  );
});

test("settling in any batches, twice over, comes to what settling once at a stroke comes to", () => {
  const splits = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 12, maxLength: 12 });
  fc.assert(
    fc.property(
      fc.array(amount, { maxLength: 12 }),
      splits,
      fc.bigInt({ min: 0n, max: 500n }),
      (costs, sizes, credit) => {
        const [atOnce, inParts] = [open(0n), open(0n)];
        const items = costs.map((cost, index) => judged(index, cost, "1"));
        for (const account of [atOnce, inParts]) {
          take(account, { kind: "credit", amount: credit + 1n, days: undefined }, 0, 1);
          take(account, { kind: "ask", estimated: credit / 2n, want: 0n, units: 50n, of: 0 }, 0, 1);
        }
        settleInto(atOnce, items);
        const rest = [...items, ...items.toReversed()];
        for (const size of [...sizes, ...sizes, ...sizes])
          settleInto(inParts, rest.splice(0, size));
        assert.deepEqual(inParts, atOnce);
      },
    ),
  );
});

function open(overdraftLimit: bigint): Account {
  return {
    wallet: { ...emptyBalance, overdraftLimit, openLeases: 0, openGrants: 0 },
    leases: new Map(),
    period: periodOf(),
    grants: [],
    ledger: 0n,
    granted: 0n,
    settledIds: new Set(),
    deadKeys: new Set(),
    unitsSettled: 0n,
  };
}

function take(
  account: Account,
  one: Exclude<Step, { kind: "wait" }>,
  nowMs: number,
  serial: number,
): void {
  if (one.kind === "credit") {
    credit(account, one.amount, one.days === undefined ? undefined : nowMs + one.days, serial);
  } else if (one.kind === "ask") {
    askFor(account, one, nowMs, serial);
  } else if (one.kind === "close") {
    close(account, one.of, nowMs);
  } else {
    const leaseId = [...account.leases.keys()][one.of] ?? "";
    const items = one.costs.map((cost, index) =>
      judged(
        serial * 100 + index,
        cost,
        leaseId,
        index === 0 ? one.units : 0,
        one.isBad && index === 1,
      ),
    );
    settleInto(account, items);
    settleInto(account, items);
  }
}

function credit(
  account: Account,
  given: bigint,
  expireTimeMs: number | undefined,
  serial: number,
): void {
  const move = grant(account.wallet, given);
  const remaining = given - move.paid;
  const isOpen = remaining > 0n;
  account.wallet = { ...move.wallet, openGrants: move.wallet.openGrants + (isOpen ? 1 : 0) };
  account.ledger += move.ledgerAmount;
  account.granted += given;
  const id = String(serial).padStart(4, "0");
  if (isOpen) {
    const one = { accountId: "a", id, priority: 0, remaining, expired: 0n, expireTimeMs };
    account.grants = [...account.grants, one];
  }
}

function askFor(
  account: Account,
  one: Extract<Step, { kind: "ask" }>,
  nowMs: number,
  serial: number,
): void {
  const extended = [...account.leases.values()][one.of];
  const ask: LeaseAsk = {
    requestId: String(serial),
    accountId: "a",
    service: "llm",
    currencyCode: "",
    estimated: one.estimated,
    minimum: undefined,
    wantSlice: one.want,
    estimatedUnits: one.units,
    estimatedRequests: 0n,
    wantUnits: 0n,
    validForMs: 1,
    leaseId: extended?.id ?? "",
    gatewayId: "",
    gatewayEpoch: 0n,
    apiKeyId: "",
    userId: "",
    askId: String(serial),
    sha256: "",
  };
  const plan = planGrants(
    {
      accountId: "a",
      currencyCode: "USD",
      wallet: account.wallet,
      leases: account.leases,
      priors: new Map(),
      periods: new Map([["llm", account.period]]),
      grants: account.grants,
      nowMs,
    },
    [ask, ask],
  );
  account.wallet = plan.after;
  for (const { lease } of plan.opened) account.leases.set(lease.id, lease);
  for (const { after } of plan.extended) account.leases.set(after.id, after);
  account.period = plan.periods[0]?.after ?? account.period;
  expired(account, plan.expiry);
}

function settleInto(account: Account, items: readonly JudgedItem[]): void {
  const covers = [...account.leases].map(
    ([id, lease]) =>
      [
        id,
        {
          service: "llm",
          state: lease.state,
          free: freePartOf(lease),
          freeUnits: freeUnitsOf(lease),
          periodStartMs: lease.free?.periodStartMs,
        },
      ] as const,
  );
  const world: SettleWorld = {
    accountId: "a",
    facts: { tenantId: "", currencyCode: "USD" },
    wallet: account.wallet,
    leases: new Map(covers),
    periods: new Map([[periodKey("llm", 0), account.period]]),
    grants: account.grants,
    settledIds: account.settledIds,
    deadKeys: account.deadKeys,
  };
  const plan = planSettlement(world, items);
  account.wallet = plan.after;
  for (const { item } of plan.rows) {
    account.settledIds.add(item.id);
    account.unitsSettled += BigInt(item.freeUnits);
  }
  for (const letter of plan.deadLetters) account.deadKeys.add(letter.key);
  for (const delta of plan.leaseDeltas) {
    const lease = account.leases.get(delta.id);
    assert(lease);
    account.leases.set(delta.id, {
      ...lease,
      settled: lease.settled + delta.settled,
      deadLettered: lease.deadLettered + delta.deadLettered,
      free: lease.free && { ...lease.free, settled: lease.free.settled + delta.settledUnits },
    });
  }
  account.period = plan.periods[0]?.after ?? account.period;
  account.grants = afterBurns(account.grants, plan.burns);
  for (const entry of plan.ledger) {
    account.ledger += entry.amount;
    assert.equal(entry.balanceAfter, account.ledger);
  }
}

function close(account: Account, of: number, nowMs: number): void {
  const lease = [...account.leases.values()][of];
  if (lease === undefined) return;
  const plan = planClose(
    {
      accountId: "a",
      wallet: account.wallet,
      leases: [lease],
      periods: new Map([[periodKey("llm", 0), account.period]]),
      grants: account.grants,
      nowMs,
    },
    "CLOSED",
  );
  account.wallet = plan.after;
  for (const { after } of plan.closed) account.leases.set(after.id, after);
  account.period = plan.periods[0]?.after ?? account.period;
  expired(account, plan.expiry);
}

function expired(account: Account, expiry: ReturnType<typeof planClose>["expiry"]): void {
  const gone = new Map(expiry.parts.map((part) => [part.grant.id, part.amount]));
  account.grants = afterBurns(account.grants, expiry.parts).map((one) => ({
    ...one,
    expired: one.expired + (gone.get(one.id) ?? 0n),
  }));
  for (const entry of expiry.ledger) {
    account.ledger += entry.amount;
    account.granted += entry.amount;
    assert.equal(entry.balanceAfter, account.ledger);
  }
}

function assertLaws({
  wallet,
  leases,
  period,
  grants,
  ledger,
  granted,
  unitsSettled,
}: Account): void {
  const { available, held, spent, credited, receivable } = wallet;
  assert.equal(available + held + spent, credited + receivable);
  for (const term of [available, held, spent, credited, receivable]) assert(term >= 0n);
  assert(available === 0n || receivable === 0n);
  assert.equal(ledger, fundsOf(wallet));
  assert.equal(credited, granted);
  const all = [...leases.values()];
  for (const lease of all) assert(freePartOf(lease) >= 0n && freeUnitsOf(lease) >= 0n);
  const live = all.filter((lease) => isLive(lease.state));
  assert.equal(wallet.openLeases, live.length);
  assert.equal(
    held,
    all.reduce((sum, lease) => sum + lease.granted - lease.settled - lease.released, 0n),
  );
  assert.equal(
    period.held,
    live.reduce((sum, lease) => sum + freeUnitsOf(lease), 0n),
  );
  assert.equal(period.available + period.held + period.used, period.granted);
  assert(period.available >= 0n && period.held >= 0n);
  assert.equal(period.used + period.writtenOff, unitsSettled);
  assert.equal(wallet.openGrants, grants.length);
  const left = grants.reduce((sum, one) => sum + one.remaining, 0n);
  const funds = fundsOf(wallet);
  assert(left <= (funds > 0n ? funds : 0n), "grants are never worth more than the funds");
}

function judged(
  serial: number,
  cost: bigint,
  leaseId: string,
  units = 0,
  isBad = false,
): JudgedItem {
  const id = String(serial).padStart(32, "0");
  const item: DecodedItem = {
    id,
    accountId: "a",
    leaseId,
    requestId: "r",
    attempt: 1,
    service: "llm",
    provider: "p",
    model: "m",
    apiKeyId: "",
    userId: "",
    usage: noUsage,
    usageSource: 1,
    state: 1,
    httpStatus: 200,
    costNanos: units > 0 ? 0n : cost,
    priceSnapshotId: "",
    providerCostNanos: undefined,
    freeUnits: units,
    upstreamId: "",
    startTimeMs: 1,
    latencyMs: 0,
    timeToFirstTokenMs: undefined,
    tags: [],
    errorCode: 0,
    claimed: false,
    encoded: new Uint8Array(),
  };
  return { item, key: id, fault: isBad ? { reason: "COST_MISMATCH", field: "" } : undefined };
}
