import type { CallRecord } from "./make-call.ts";
import type { Customer } from "./office.ts";
import type { FaultStack } from "./open-fault-stack.ts";

/** A part of a stack's life that is judged by itself: its own customers, and a log of the upstream that begins with it. */
export type Round = {
  readonly customers: readonly Customer[];
  readonly accountIds: readonly string[];
  /** Whose money does not end. */
  readonly rich: Customer;
  /** Every call made in the round, for the judge. */
  readonly calls: CallRecord[];
};

const richCount = 11;
const richNanos = 1_000_000_000_000n;
/** A few hundred calls. */
const poorNanos = 6_000_000n;

/** Begins a round: rich customers, and one whose money ends amid the load. Whatever was served before must be at rest. */
export async function openRound(faults: FaultStack): Promise<Round> {
  const res = await fetch(`${faults.upstreamUrl}/__log`, { method: "DELETE" });
  if (!res.ok) throw new Error(`the upstream's log was not reset: ${res.status}`);
  const credits = [...Array.from({ length: richCount }, () => richNanos), poorNanos];
  const customers = await Promise.all(credits.map((credit) => faults.office.newCustomer(credit)));
  const [rich] = customers;
  if (rich === undefined) throw new Error("a round has customers");
  return { customers, accountIds: customers.map((it) => it.accountId), rich, calls: [] };
}
