import type { AccountBooks, LeaseBooks } from "./read-accounts.ts";

/** Every law of money that an account breaks, in words. */
export function judgeAccount(account: AccountBooks): readonly string[] {
  const faults: string[] = [];
  for (const [law, compare] of laws) {
    const [left, right] = compare(account);
    if (left !== right) faults.push(`${account.accountId}: ${law}: ${left} is not ${right}`);
  }
  for (const term of ["available", "held", "spent", "credited", "receivable"] as const) {
    if (account[term] < 0n) faults.push(`${account.accountId}: ${term} is ${account[term]}`);
  }
  if (account.available > 0n && account.receivable > 0n) {
    faults.push(
      `${account.accountId}: owes ${account.receivable} while ${account.available} is free`,
    );
  }
  return faults;
}

/** What is wrong with a lease: counters that are not the sum of its transactions, or an end that does not add up. */
export function judgeLease(lease: LeaseBooks): readonly string[] {
  const { accountId, leaseId, state, granted, settled, released, deadLettered, taken } = lease;
  const faults: string[] = [];
  const name = `${accountId}: lease ${leaseId} (${state})`;
  if (taken !== settled) faults.push(`${name}: settled ${settled}, transactions say ${taken}`);
  const used = settled + released + deadLettered;
  const isEnded = state === "CLOSED" || state === "RELEASED";
  if (isEnded ? used !== granted : used > granted) {
    faults.push(`${name}: ${used} of ${granted} is accounted for`);
  }
  return faults;
}

type Law = readonly [
  law: string,
  compare: (account: AccountBooks) => readonly [left: bigint, right: bigint],
];

const laws: readonly Law[] = [
  [
    "available + held + spent = credited + receivable",
    (a) => [a.available + a.held + a.spent, a.credited + a.receivable],
  ],
  [
    "held = open leases + dead letters + refunds under way",
    (a) => [a.held, a.leaseHolding + a.deadLetterHeld + a.refundHeld],
  ],
  ["recharge orders = recharges in the ledger", (a) => [a.rechargeNet, a.ledgerRecharged]],
  ["open leases are counted", (a) => [a.openLeases, a.leaseCount]],
  ["spent = transactions", (a) => [a.spent, a.transactionCost]],
  ["spent = usage in the ledger", (a) => [a.spent, -a.ledgerUsage]],
  ["spent = hourly sums", (a) => [a.spent, a.hourlyCost]],
  ["transactions = hourly attempts", (a) => [a.transactions, a.hourlyAttempts]],
  ["funds = ledger", (a) => [a.available + a.held - a.receivable, a.ledgerSum]],
];
