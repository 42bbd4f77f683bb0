import { noUsage } from "@farebox/pricing/usage";
import type { Charge } from "./charge-check.ts";
import type { Lease } from "./lease.ts";
import type { DecodedItem } from "./usage-item.ts";

/** A charge with its price, and the id of the transaction it becomes. */
export type PricedCharge = {
  readonly charge: Charge;
  /** 32 hex digits. */
  readonly id: string;
  readonly costNanos: bigint;
  /** The snapshot it was priced by, in hex; empty when the caller stated the amount. */
  readonly priceSnapshotId: string;
};

/** Usage sources and states as the contract numbers them. */
const providerSource = 1;
const succeeded = 1;

/**
 * A charge as the item that settlement charges. Work on a lease of free units alone is free whatever its cost; on a lease
 * that holds money too, work that states its units is.
 */
export function chargeItem(
  priced: PricedCharge,
  of: {
    readonly accountId: string;
    readonly leaseId: string;
    readonly lease: Lease | undefined;
    readonly nowMs: number;
  },
): DecodedItem {
  const { charge } = priced;
  const freeUnits = freeUnitsOf(charge, of.lease);
  return {
    id: priced.id,
    accountId: of.accountId,
    leaseId: of.leaseId,
    requestId: charge.requestId,
    attempt: 1,
    service: of.lease?.service ?? "",
    provider: charge.provider,
    model: charge.model,
    apiKeyId: charge.apiKeyId,
    userId: charge.userId,
    usage: charge.usage ?? noUsage,
    usageSource: charge.usageSource === 0 ? providerSource : charge.usageSource,
    state: succeeded,
    httpStatus: 0,
    costNanos: freeUnits > 0 ? 0n : priced.costNanos,
    priceSnapshotId: priced.priceSnapshotId,
    providerCostNanos: undefined,
    freeUnits,
    upstreamId: "",
    startTimeMs: of.nowMs,
    latencyMs: 0,
    timeToFirstTokenMs: undefined,
    tags: charge.tags,
    errorCode: 0,
    claimed: false,
    encoded: noBytes,
  };
}

const noBytes = new Uint8Array();

function freeUnitsOf(charge: Charge, lease: Lease | undefined): number {
  if (lease?.free === undefined) return 0;
  const isUnitsOnly = lease.granted === 0n;
  if (!isUnitsOnly && charge.units === 0) return 0;
  return charge.units > 0 ? charge.units : 1;
}
