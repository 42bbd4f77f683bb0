import { type Conservation, checkConservation } from "../conservation/check-conservation.ts";
import { awaitCondition } from "./await-condition.ts";
import { judgeRest } from "./judge-calls.ts";
import type { CallRecord } from "./make-call.ts";
import type { FaultStack } from "./open-fault-stack.ts";

const faultsShown = 12;

/** What is to be at rest: all that a stack ever served, unless it is said otherwise. */
export type RestScope = {
  /** Only these accounts; the upstream's log must hold no calls of others. */
  readonly accountIds?: readonly string[];
  readonly timeoutMs?: number;
};

/**
 * Waits until a stack that nobody calls any more has come to rest, which it must within `timeoutMs`: everything settled,
 * nothing held, and the clients' log, the upstream's log, transactions, leases, ledger and balances in full agreement.
 * Throws with what still disagrees at the end.
 */
export async function comeToRest(
  faults: FaultStack,
  calls: readonly CallRecord[],
  deaths: "none" | "some",
  { accountIds, timeoutMs = 45_000 }: RestScope = {},
): Promise<Conservation> {
  let wrong: readonly string[] = [];
  const look = async () => {
    const found = await checkConservation({
      databaseUrl: faults.stack.dev.databaseUrl,
      upstreamUrl: faults.upstreamUrl,
      ...(accountIds === undefined ? {} : { accountIds }),
    });
    wrong = judgeRest(calls, found, deaths);
    if (found.heldNanos !== 0n) wrong = [...wrong, `${found.heldNanos} nanos are still held`];
    return wrong.length === 0 ? found : undefined;
  };
  try {
    return await awaitCondition("rest", look, timeoutMs);
  } catch (cause) {
    const shown = wrong.slice(0, faultsShown).join("\n  ");
    throw new Error(`${cause}; ${wrong.length} faults remain:\n  ${shown}`, { cause });
  }
}
