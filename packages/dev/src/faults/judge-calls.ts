import { parseNanos } from "@farebox/kit/money";
import type { Conservation } from "../conservation/check-conservation.ts";
import type { ChargedAttempt } from "../conservation/read-charges.ts";
import type { CallRecord } from "./make-call.ts";

/**
 * What is wrong between what clients saw and what was charged. A client that has the last byte is charged once, in full, what
 * its answer said; a call that was refused is not charged at all.
 */
export function judgeCalls(
  calls: readonly CallRecord[],
  charges: readonly ChargedAttempt[],
): readonly string[] {
  const byRequest = new Map<string, ChargedAttempt[]>();
  for (const charge of charges) {
    const known = byRequest.get(charge.requestId);
    if (known === undefined) byRequest.set(charge.requestId, [charge]);
    else known.push(charge);
  }
  return calls.flatMap((call) => {
    const charged = byRequest.get(call.requestId) ?? [];
    if (call.end === "complete") return completeFaults(call, charged);
    if (call.end === "refused") return refusedFaults(call, charged);
    return charged.length > 1
      ? [`${call.requestId}: broken, and charged ${charged.length} times`]
      : [];
  });
}

function completeFaults(call: CallRecord, charged: readonly ChargedAttempt[]): readonly string[] {
  const name = `${call.requestId} (${call.upstreamId})`;
  const [charge, ...more] = charged;
  if (call.requestId === "" || call.upstreamId === "") return [`an answer without an id: ${name}`];
  if (charge === undefined) return [`${name}: answered, never charged`];
  const faults: string[] = [];
  if (more.length > 0) faults.push(`${name}: charged ${charged.length} times`);
  if (charge.accountId !== call.accountId) faults.push(`${name}: charged to ${charge.accountId}`);
  if (charge.upstreamId !== call.upstreamId)
    faults.push(`${name}: charged as ${charge.upstreamId}`);
  if (charge.state !== "SUCCEEDED" || charge.source !== "PROVIDER") {
    faults.push(`${name}: answered in full, charged as ${charge.state} ${charge.source}`);
  }
  if (call.cost !== undefined && parseNanos(call.cost) !== charge.cost) {
    faults.push(`${name}: its answer said ${call.cost}, charged ${charge.cost} nanos`);
  }
  return faults;
}

function refusedFaults(call: CallRecord, charged: readonly ChargedAttempt[]): readonly string[] {
  const cost = charged.reduce((sum, charge) => sum + charge.cost, 0n);
  return cost === 0n ? [] : [`${call.requestId}: answered ${call.status}, charged ${cost} nanos`];
}

/**
 * What is wrong when everything has come to rest. `deaths` says whether a gateway has died: only then may attempts be
 * interrupted, or be unknown because their gateway died before it could say that it made them, and their clients must not
 * have got an answer.
 */
export function judgeRest(
  calls: readonly CallRecord[],
  found: Conservation,
  deaths: "none" | "some",
): readonly string[] {
  const faults = [...found.faults, ...judgeCalls(calls, found.charges)];
  if (found.matching === undefined) return [...faults, "the upstream's log is not whole"];
  const { unnamed, interrupted } = found.matching;
  const answered = new Set(calls.filter((it) => it.end === "complete").map((it) => it.upstreamId));
  for (const attempt of unnamed) {
    const isExcused = deaths === "some" || attempt.usageSent === "none";
    if (answered.has(attempt.id) || !isExcused) {
      faults.push(`${attempt.id} (${attempt.outcome}, ${attempt.scenario}) is in no transaction`);
    }
  }
  if (deaths === "none" && interrupted > 0) faults.push(`${interrupted} interrupted, nobody died`);
  return faults;
}
