import { randomBytes } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { maxNanos } from "@farebox/kit/money";
import type { CheckQuotaRequestSchema } from "@farebox/proto/farebox/billing/v1/billing_service";
import type { Epoch } from "../settlement/gateway-epoch.ts";
import type { Lease } from "./lease.ts";
import type { QuotaPool, WaitingCall } from "./quota-pool.ts";

/** A question to Billing that stands until it is answered: asked again it must be the very same. */
export type QuotaAsk = {
  readonly request: MessageInitShape<typeof CheckQuotaRequestSchema>;
  /** The lease to extend; undefined for a new one. */
  readonly lease: Lease | undefined;
  readonly epoch: Epoch;
  /** What the calls that waited then lacked. */
  readonly estimated: bigint;
  /** Free units asked for; fewer granted means that the period has no more. */
  readonly units: { readonly requests: number; readonly tokens: number };
  /** The call that was first in line, and whose least need was asked for; undefined for a refill. */
  readonly askedFor: WaitingCall | undefined;
};

/**
 * Asks for what the waiting calls lack, all together, and for what the next seconds will spend, or some calls more like
 * the last where that is more: a call reserves several times what it comes to cost, so that a slice by spend alone would be
 * asked for anew with every other call of a slow account. The least that is of use is what the first of them can be clamped
 * to. With nobody waiting it asks for one more call like the last.
 */
export function makeQuotaAsk(pool: QuotaPool, epoch: Epoch, nowMs: number): QuotaAsk {
  const { lease, waiting } = pool;
  const first = waiting[0];
  const free = lease?.free ?? 0n;
  let worst = 0n;
  let units = 0;
  for (const call of waiting) {
    worst += call.worstCaseNanos;
    units += call.worstCaseUnits;
  }
  const estimated = first === undefined ? pool.lastWorstCaseNanos : atLeastOne(worst - free);
  const minimum = first === undefined ? 1n : atLeastOne(first.minimumNanos - free);
  const { wantMs, callsAhead } =
    lease === undefined || lease.holders === 1 ? reachAlone : reachShared;
  const spent = BigInt(Math.ceil(pool.spend.perMs(nowMs) * wantMs));
  // Calls that run long have spent nothing yet: as much again as they reserve lets a new account's load double per ask.
  const reserved = lease === undefined ? 0n : lease.granted - lease.counted - free;
  const ahead = callsAhead * (first?.worstCaseNanos ?? pool.lastWorstCaseNanos);
  const want = maxNanos(maxNanos(spent, reserved), ahead);
  const wantUnits = Math.min(Math.ceil(pool.unitSpend.perMs(nowMs) * wantMs), unitsMax);
  const tokens = Math.max(1, Math.min(units, unitsMax));
  const requests = Math.max(1, waiting.length);
  return {
    lease,
    epoch,
    estimated,
    units: { requests: requests + wantUnits, tokens: tokens + wantUnits },
    askedFor: first,
    request: {
      requestId: `lse_${randomBytes(16).toString("hex")}`,
      accountId: pool.accountId,
      service: pool.service,
      leaseId: lease?.name ?? "",
      estimatedCost: { amountNanos: capped(estimated) },
      minimumCost: { amountNanos: minimum < estimated ? minimum : capped(estimated) },
      wantSlice: { amountNanos: capped(want) },
      estimatedUnits: BigInt(tokens),
      estimatedRequests: BigInt(requests),
      wantUnits: BigInt(wantUnits),
    },
  };
}

/** The name of the lock that keeps two gateways from asking for the same account at once. */
export function lockKeyOf(pool: { readonly accountId: string; readonly service: string }): string {
  return `quota_lock:${pool.accountId}:${pool.service}`;
}

function atLeastOne(nanos: bigint): bigint {
  return nanos > 0n ? nanos : 1n;
}

function capped(nanos: bigint): bigint {
  return nanos < nanosMax ? nanos : nanosMax;
}

/** Worst cases: at the usual tenth of these, some thirty calls go by between two asks. */
const reachShared = { wantMs: 2000, callsAhead: 8n } as const;
/** No other gateway waits for what lies here, or none is known yet: then Billing lends at most half. An ask costs as much as a dozen calls. */
const reachAlone = { wantMs: 8000, callsAhead: 32n } as const;
const unitsMax = 1_000_000_000_000;
const nanosMax = 9_000_000_000_000_000_000n;
