import { maxNanos, minNanos, type Nanos } from "@farebox/kit/money";

/** Two places that must agree and do not. Amounts are nanos or counts of units. */
export type Drift = {
  readonly accountId: string;
  /** Names the broken law for ever: operators' runbooks point here. */
  readonly law: string;
  readonly expected: bigint;
  readonly actual: bigint;
  /** The row concerned, for example a lease's id; empty for the account itself. */
  readonly subject: string;
};

/** All that one consistent look at an account's money shows, summed by account. */
export type AccountSums = {
  readonly accountId: string;
  readonly available: Nanos;
  readonly held: Nanos;
  readonly spent: Nanos;
  readonly credited: Nanos;
  readonly receivable: Nanos;
  /** Counters kept in the balance row. */
  readonly openLeases: bigint;
  readonly openGrants: bigint;
  /** Leases that are open or suspect, and what they still hold. */
  readonly leases: { readonly count: bigint; readonly holding: Nanos };
  /** What dead letters that wait hold. */
  readonly deadLetters: { readonly held: Nanos };
  readonly grants: {
    readonly openCount: bigint;
    readonly amount: Nanos;
    readonly remaining: Nanos;
    readonly used: Nanos;
    readonly expired: Nanos;
  };
  readonly recharges: {
    /** What reversals that wait hold. */
    readonly reserved: Nanos;
    /** What orders were credited, less what left them again. */
    readonly net: Nanos;
  };
  readonly hourly: { readonly cost: Nanos; readonly attempts: bigint };
  /** The funds that the end of the ledger states; undefined when it states the present ones, or is empty. */
  readonly ledgerTail: Nanos | undefined;
  /** Sums over the whole ledger; undefined when the look was not that deep. */
  readonly ledger: LedgerSums | undefined;
};

export type LedgerSums = {
  readonly all: Nanos;
  readonly usage: Nanos;
  readonly granted: Nanos;
  readonly expired: Nanos;
  /** Paid in, less what was taken back, and what of that was given back. */
  readonly recharged: Nanos;
};

/** What an account has, less what it owes: the sum of its ledger. */
export function fundsOf(sums: Pick<AccountSums, "available" | "held" | "receivable">): Nanos {
  return sums.available + sums.held - sums.receivable;
}

/** Judges one account: every law that its sums break. */
export function judgeAccount(sums: AccountSums): Drift[] {
  const drifts: Drift[] = [];
  for (const [law, compare] of accountLaws) {
    const [expected, actual] = compare(sums);
    if (expected === actual) continue;
    drifts.push({ accountId: sums.accountId, law, expected, actual, subject: "" });
  }
  return drifts;
}

type Comparison = (sums: AccountSums) => readonly [expected: bigint, actual: bigint];

/** What is expected, and what is found. An upper bound expects the larger of itself and what is found. */
const accountLaws: readonly (readonly [law: string, compare: Comparison])[] = [
  ["balance_conserved", (f) => [f.credited + f.receivable, f.available + f.held + f.spent]],
  ["balance_not_negative", (f) => [0n, minNanos(0n, leastTerm(f))]],
  [
    "balance_debt_first",
    (f) => [0n, minNanos(maxNanos(0n, f.available), maxNanos(0n, f.receivable))],
  ],
  [
    "held_equals_leases",
    (f) => [f.leases.holding + f.deadLetters.held + f.recharges.reserved, f.held],
  ],
  ["open_leases_counted", (f) => [f.leases.count, f.openLeases]],
  ["open_grants_counted", (f) => [f.grants.openCount, f.openGrants]],
  [
    "grants_add_up",
    (f) => [f.grants.amount, f.grants.remaining + f.grants.used + f.grants.expired],
  ],
  [
    "grants_within_funds",
    (f) => [fundsForGrants(f), maxNanos(fundsForGrants(f), f.grants.remaining)],
  ],
  ["rollup_equals_spent", (f) => [f.spent, f.hourly.cost]],
  ["ledger_ends_in_funds", (f) => [fundsOf(f), f.ledgerTail ?? fundsOf(f)]],
  ["ledger_equals_balance", (f) => [fundsOf(f), f.ledger?.all ?? fundsOf(f)]],
  ["ledger_usage_equals_spent", (f) => [-f.spent, f.ledger?.usage ?? -f.spent]],
  ["ledger_grants_equal_grants", (f) => [f.grants.amount, f.ledger?.granted ?? f.grants.amount]],
  [
    "ledger_expiry_equals_grants",
    (f) => [-f.grants.expired, f.ledger?.expired ?? -f.grants.expired],
  ],
  [
    "ledger_recharges_equal_orders",
    (f) => [f.recharges.net, f.ledger?.recharged ?? f.recharges.net],
  ],
];

/** What grants may count on: what refunds hold is on its way out. */
function fundsForGrants({ available, held, recharges }: AccountSums): Nanos {
  return available + held - recharges.reserved;
}

function leastTerm(sums: AccountSums): Nanos {
  return [sums.held, sums.spent, sums.credited, sums.receivable].reduce(minNanos, sums.available);
}
