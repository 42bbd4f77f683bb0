import { AppError } from "@farebox/kit/app-error";
import type { Clock } from "@farebox/kit/clock";
import { newUuid } from "@farebox/kit/ids";
import { inTransaction, type Pool, type PoolConnection } from "@farebox/kit/mysql";
import type { Reason } from "@farebox/kit/reasons";
import type { Wallet } from "../domain/balance-moves.ts";
import type { Charge } from "../domain/charge-check.ts";
import { chargeItem, type PricedCharge } from "../domain/charge-item.ts";
import type { AccountFacts } from "../domain/judge-item.ts";
import type { Lease } from "../domain/lease.ts";
import {
  type JudgedItem,
  planSettlement,
  type SettlePlan,
  type SettleStatus,
} from "../domain/settle-plan.ts";
import type { MoneyEvents } from "../events.ts";
import type { AccountFactsCache } from "../store/account-facts.ts";
import { loadSettleWorlds } from "../store/load-settle-worlds.ts";
import { lockLeases } from "../store/lock-leases.ts";
import { insertOnceKeys, type OnceAnswer, readOnceKeys } from "../store/once-key-store.ts";
import { savePlans } from "../store/save-plans.ts";
import { contentSha256 } from "./content-sha256.ts";
import { type PriceChargeDeps, priceCharge } from "./price-charge.ts";

export type SettleChargesDeps = PriceChargeDeps & {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly facts: AccountFactsCache;
  readonly events: MoneyEvents;
};

export type SettleChargesInput = {
  readonly accountId: string;
  readonly facts: AccountFacts;
  /** 32 hex digits; empty for none. */
  readonly leaseId: string;
  readonly charges: readonly Charge[];
};

/** What became of one charge. */
export type ChargeOutcome = {
  readonly requestId: string;
  readonly status: SettleStatus;
  /** What was charged, now or before. */
  readonly charged: bigint;
  /** The transaction, in hex; empty when none was written. */
  readonly transactionId: string;
  readonly reason: Reason | undefined;
  readonly field: string;
};

const method = "DeductQuota";

/** Charges each of the charges once, in one transaction. Errors: LEASE_NOT_FOUND, UNAVAILABLE. */
export async function settleCharges(
  deps: SettleChargesDeps,
  input: SettleChargesInput,
): Promise<{ readonly outcomes: readonly ChargeOutcome[]; readonly wallet: Wallet | undefined }> {
  const slots: Slot[] = [];
  for (const charge of input.charges) {
    const priced = await priceCharge(deps, charge, input.facts.currencyCode);
    slots.push("fault" in priced ? rejected(charge, priced.fault) : pricedSlot(charge, priced));
  }
  const valid = slots.filter((slot) => slot.priced !== undefined);
  const startMs = deps.clock.monotonicMs();
  const settled = await inTransaction(deps.pool, (tx) => settleSlots(tx, deps, input, valid));
  if (settled.plan !== undefined) {
    const { plan } = settled;
    const elapsedMs = deps.clock.monotonicMs() - startMs;
    deps.events.usageSettled({ statuses: plan.statuses, plans: [plan], elapsedMs });
  }
  const outcomes = slots.map((slot) => settled.outcomes.get(slot) ?? slot.outcome);
  return { outcomes, wallet: settled.plan?.after };
}

/** A charge on its way: what it is answered unless the transaction says otherwise. */
type Slot = {
  readonly priced: PricedCharge | undefined;
  readonly sha256: string;
  readonly outcome: ChargeOutcome;
};

type Settled = {
  readonly outcomes: ReadonlyMap<Slot, ChargeOutcome>;
  readonly plan: SettlePlan | undefined;
};

async function settleSlots(
  tx: PoolConnection,
  deps: SettleChargesDeps,
  input: SettleChargesInput,
  slots: readonly Slot[],
): Promise<Settled> {
  const { accountId, leaseId, facts } = input;
  const nowMs = deps.clock.nowMs();
  const lease = await lockLease(tx, accountId, leaseId);
  if (slots.length === 0) return { outcomes: new Map(), plan: undefined };
  const of = { accountId, leaseId, lease, nowMs };
  const judged = new Map<Slot, JudgedItem>();
  for (const slot of slots) {
    if (slot.priced === undefined) continue;
    const item = chargeItem(slot.priced, of);
    judged.set(slot, { item, fault: undefined, key: item.id });
  }
  const [world] = await loadSettleWorlds(
    tx,
    [{ accountId, facts, items: [...judged.values()] }],
    false,
  );
  if (world === undefined) throw new AppError("ACCOUNT_NOT_FOUND");
  const requestIds = slots.map((slot) => slot.outcome.requestId);
  const known = await readOnceKeys(tx, { accountId, method, requestIds });
  const { outcomes, fresh } = sortOut(slots, known);
  const items = fresh.flatMap((slot) => judged.get(slot) ?? []);
  const plan = planSettlement(world, items, "reject");
  // Ids made just now belong to a day that is kept.
  await savePlans(tx, [plan], { nowMs, oldestKeptId: "" });
  fresh.forEach((slot, index) => {
    outcomes.set(slot, outcomeOf(slot, items[index], plan, plan.statuses[index]));
  });
  await insertOnceKeys(tx, { accountId, method, nowMs }, fresh.flatMap(onceKeys(outcomes)));
  answerTwins(slots, outcomes);
  return { outcomes, plan };
}

async function lockLease(
  tx: PoolConnection,
  accountId: string,
  id: string,
): Promise<Lease | undefined> {
  if (id === "") return undefined;
  const leases = await lockLeases(tx, [{ accountId, id }]);
  const lease = leases.get(accountId)?.get(id);
  if (lease === undefined) throw new AppError("LEASE_NOT_FOUND");
  return lease;
}

/** Answers charges that were settled before; the others, each request id once, are fresh. */
function sortOut(slots: readonly Slot[], known: ReadonlyMap<string, OnceAnswer>) {
  const outcomes = new Map<Slot, ChargeOutcome>();
  const fresh = new Map<string, Slot>();
  for (const slot of slots) {
    const { requestId } = slot.outcome;
    const before = known.get(requestId);
    const twin = fresh.get(requestId);
    if (before !== undefined) outcomes.set(slot, answerAgain(slot, before));
    else if (twin === undefined) fresh.set(requestId, slot);
    else if (twin.sha256 !== slot.sha256) outcomes.set(slot, reused(slot));
  }
  return { outcomes, fresh: [...fresh.values()] };
}

/** Charges that came twice in one call are answered as the first of them. */
function answerTwins(slots: readonly Slot[], outcomes: Map<Slot, ChargeOutcome>): void {
  const firsts = new Map<string, ChargeOutcome>();
  for (const slot of slots) {
    const known = outcomes.get(slot);
    const first = firsts.get(slot.outcome.requestId);
    if (known !== undefined && first === undefined) firsts.set(slot.outcome.requestId, known);
    if (known !== undefined || first === undefined) continue;
    const isRejected = first.status === "REJECTED";
    outcomes.set(slot, isRejected ? first : { ...first, status: "DUPLICATE" });
  }
}

function outcomeOf(
  slot: Slot,
  judged: JudgedItem | undefined,
  plan: SettlePlan,
  status: SettleStatus | undefined,
): ChargeOutcome {
  if (judged === undefined || status === undefined) throw new Error("a charge was not settled");
  const refused = plan.rejected.find((row) => row.key === judged.key);
  if (refused !== undefined) {
    return { ...slot.outcome, reason: refused.fault.reason, field: refused.fault.field };
  }
  const { costNanos: charged, id: transactionId } = judged.item;
  return { ...slot.outcome, status, charged, transactionId, reason: undefined };
}

function onceKeys(outcomes: ReadonlyMap<Slot, ChargeOutcome>): (slot: Slot) => OnceAnswer[] {
  return (slot) => {
    const outcome = outcomes.get(slot);
    if (outcome === undefined || outcome.status === "REJECTED") return [];
    const amount = Buffer.alloc(8);
    amount.writeBigInt64BE(outcome.charged);
    const result = outcome.transactionId + amount.toString("hex");
    return [{ requestId: outcome.requestId, sha256: slot.sha256, result }];
  };
}

/** The stored answer: 16 bytes of the transaction, 8 of what was charged. */
function answerAgain(slot: Slot, { sha256, result }: OnceAnswer): ChargeOutcome {
  if (sha256 !== slot.sha256) return reused(slot);
  const charged = Buffer.from(result.slice(32), "hex").readBigInt64BE();
  const transactionId = result.slice(0, 32);
  return { ...slot.outcome, status: "DUPLICATE", charged, transactionId, reason: undefined };
}

function reused(slot: Slot): ChargeOutcome {
  return { ...slot.outcome, reason: "REQUEST_ID_REUSED", field: "request_id" };
}

function rejected(
  { requestId }: Charge,
  fault: { readonly reason: Reason; readonly field: string },
): Slot {
  const outcome = { requestId, status: "REJECTED", charged: 0n, transactionId: "" } as const;
  return { priced: undefined, sha256: "", outcome: { ...outcome, ...fault } };
}

function pricedSlot(charge: Charge, price: Omit<PricedCharge, "charge" | "id">): Slot {
  const { outcome } = rejected(charge, { reason: "INTERNAL", field: "" });
  const priced = { charge, id: newUuid().toString("hex"), ...price };
  return { priced, sha256: sha256Of(charge), outcome };
}

function sha256Of(charge: Charge): string {
  const { amount, usage } = charge;
  return contentSha256([
    amount?.nanos,
    charge.units,
    usage && Object.values(usage),
    charge.provider,
    charge.model,
    charge.usageSource,
    charge.apiKeyId,
    charge.userId,
    charge.tags,
  ]).toString("hex");
}
