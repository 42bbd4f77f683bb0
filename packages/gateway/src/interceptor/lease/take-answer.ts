import { AppError } from "@farebox/kit/app-error";
import { parseId } from "@farebox/kit/ids";
import type { Reason } from "@farebox/kit/reasons";
import {
  type CheckQuotaResponse,
  type CheckQuotaResult,
  Decision,
} from "@farebox/proto/farebox/billing/v1/billing_service";
import { FreeUnit, type Lease as LeaseMessage } from "@farebox/proto/farebox/billing/v1/lease";
import { ErrorReason } from "@farebox/proto/farebox/common/v1/error_reason";
import type { Money } from "@farebox/proto/farebox/common/v1/money";
import type { Lease } from "./lease.ts";
import type { QuotaAsk } from "./quota-ask.ts";
import type { Denial, QuotaPool } from "./quota-pool.ts";
import { reasonOf } from "./refuse-call.ts";

/**
 * What an answer means for the pool that asked:
 * - `granted`: the lease has more; with a `denial` it is all that there is.
 * - `denied`: there is nothing to be had.
 * - `stale`: the lease that was to be extended can be extended no more: ask for a new one.
 * - `unanswered`: Billing could not say; the same question must be asked again.
 * - `refused`: the question itself is wrong, for all calls that wait.
 */
export type TakenAnswer =
  | { readonly kind: "granted"; readonly denial: Denial | undefined }
  | { readonly kind: "denied"; readonly denial: Denial }
  | { readonly kind: "stale" }
  | { readonly kind: "unanswered"; readonly error: AppError }
  | { readonly kind: "refused"; readonly error: AppError };

/** Takes Billing's answer into the pool's lease, and says what it means. */
export function takeAnswer(
  pool: QuotaPool,
  ask: QuotaAsk,
  result: CheckQuotaResult,
  nowMs: number,
): TakenAnswer {
  const { response } = result;
  if (response === undefined) return takeError(reasonOf(result.error));
  if (response.decision !== Decision.ALLOW || response.lease === undefined) {
    return { kind: "denied", denial: denialOf(response, nowMs) };
  }
  const added = takeGrant(pool, ask, response.lease);
  if (added === undefined) return { kind: "stale" };
  // All that there is, said or seen, of money and of units: asking again at once would be in vain.
  const isAllMoney = response.lease.finalUnit || added < ask.estimated;
  const isAll = isAllMoney && response.addedUnits < unitsAsked(ask, response.lease.freeUnit);
  return { kind: "granted", denial: isAll ? denialOf(response, nowMs) : undefined };
}

function unitsAsked({ units }: QuotaAsk, freeUnit: FreeUnit): number {
  // Without a free quota none are granted: always fewer than asked.
  return freeUnit === FreeUnit.REQUESTS ? units.requests : units.tokens;
}

/** Returns what the grant added; undefined when it belongs to an epoch that is over, and so is for Billing to take back. */
function takeGrant(pool: QuotaPool, ask: QuotaAsk, message: LeaseMessage): bigint | undefined {
  if (message.epoch !== ask.epoch.number) return undefined;
  const lease = ask.lease ?? newLease(pool, ask, message);
  if (lease === undefined) return undefined;
  pool.lease = lease;
  const granted = nanosOf(message.granted);
  const grantedUnits = Number(message.grantedUnits);
  const added = granted - lease.granted;
  lease.free += added;
  lease.granted = granted;
  lease.freeUnits += grantedUnits - lease.grantedUnits;
  lease.grantedUnits = grantedUnits;
  lease.freeUnit = freeUnitOf(message.freeUnit);
  // Of what is there now, not of all that was ever granted: a lease that lives long must not hoard.
  lease.refillBelow = (lease.free * refillPercent) / 100n;
  lease.holders = message.holders;
  return added;
}

function newLease(pool: QuotaPool, ask: QuotaAsk, message: LeaseMessage): Lease | undefined {
  const id = parseId("lse", message.id);
  if (id === undefined) return undefined;
  return {
    id,
    name: message.id,
    epoch: ask.epoch,
    accountId: pool.accountId,
    service: pool.service,
    granted: 0n,
    counted: 0n,
    free: 0n,
    freeUnit: "none",
    grantedUnits: 0,
    freeUnits: 0,
    callsInFlight: 0,
    lastOutcome: 0,
    refillBelow: 0n,
    holders: 1,
    closeTries: 0,
  };
}

function takeError(reason: Reason | undefined): TakenAnswer {
  switch (reason) {
    case "EPOCH_STALE":
    case "LEASE_NOT_FOUND":
    case "LEASE_NOT_OPEN":
      return { kind: "stale" };
    case "UNAVAILABLE":
    case "DEADLINE_EXCEEDED":
    case "INTERNAL":
    case undefined:
      return { kind: "unanswered", error: new AppError(reason ?? "INTERNAL") };
    default:
      return { kind: "refused", error: new AppError(reason) };
  }
}

function denialOf(response: CheckQuotaResponse, nowMs: number): Denial {
  return {
    untilMs: nowMs + denialMs,
    reason: denialReason(response.reason),
    available: nanosOf(response.available),
    receivable: nanosOf(response.receivable),
  };
}

function denialReason(reason: ErrorReason): Denial["reason"] {
  switch (reason) {
    case ErrorReason.INSUFFICIENT_QUOTA:
      return "INSUFFICIENT_QUOTA";
    case ErrorReason.ACCOUNT_IN_DEBT:
      return "ACCOUNT_IN_DEBT";
    case ErrorReason.BUDGET_EXCEEDED:
      return "BUDGET_EXCEEDED";
    default:
      return "INSUFFICIENT_BALANCE";
  }
}

function freeUnitOf(unit: FreeUnit): Lease["freeUnit"] {
  if (unit === FreeUnit.REQUESTS) return "requests";
  return unit === FreeUnit.TOKENS ? "tokens" : "none";
}

function nanosOf(money: Money | undefined): bigint {
  return money?.amountNanos ?? 0n;
}

const denialMs = 200;
const refillPercent = 30n;
