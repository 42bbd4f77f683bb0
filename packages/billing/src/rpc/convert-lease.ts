import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { FreeUnit, type LeaseSchema, LeaseState } from "@farebox/proto/farebox/billing/v1/lease";
import { type Lease, refillBelow } from "../domain/lease.ts";
import { toMoney } from "./convert-money.ts";
import { toTimestamp } from "./convert-time.ts";

/** What a lease's holder is told beside the lease itself. */
export type LeaseContext = {
  readonly currencyCode: string;
  /** How many open leases the account has. */
  readonly holders: number;
  /** Whether asking for more is in vain until money returns. */
  readonly isFinal: boolean;
};

/** A lease as the contract carries it. */
export function toProtoLease(
  lease: Lease,
  { currencyCode, holders, isFinal }: LeaseContext,
): MessageInitShape<typeof LeaseSchema> {
  return {
    id: `lse_${lease.id}`,
    accountId: lease.accountId,
    service: lease.service,
    epoch: lease.gatewayEpoch,
    state: LeaseState[lease.state],
    granted: toMoney(lease.granted, currencyCode),
    settled: toMoney(lease.settled, currencyCode),
    grantedUnits: lease.free?.granted ?? 0n,
    settledUnits: lease.free?.settled ?? 0n,
    freeUnit: lease.free === undefined ? FreeUnit.UNSPECIFIED : FreeUnit[lease.free.unit],
    holders,
    validFor: durationFromMs(lease.validForMs),
    refillBelow: toMoney(refillBelow(lease), currencyCode),
    finalUnit: isFinal,
    createTime: toTimestamp(lease.createTimeMs),
  };
}
