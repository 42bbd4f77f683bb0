import type { Nanos } from "@farebox/kit/money";
import type { Usage } from "@farebox/pricing/usage";

/** One physical attempt, charged or free or failed. Never changed. */
export type Transaction = {
  readonly id: Uint8Array;
  readonly accountId: string;
  readonly requestId: string;
  /** 1 for the first attempt of the request. */
  readonly attempt: number;
  readonly service: string;
  readonly provider: string;
  readonly model: string;
  readonly apiKeyId: string;
  readonly userId: string;
  readonly tenantId: string;
  readonly usage: Usage;
  /** As the contract numbers it. */
  readonly usageSource: number;
  /** As the contract numbers it. */
  readonly state: number;
  readonly httpStatus: number;
  readonly errorCode: number;
  readonly costNanos: Nanos;
  /** The provider's own figure, in the price's currency. */
  readonly providerCostNanos: Nanos | undefined;
  readonly freeUnits: bigint;
  readonly priceSnapshotId: Uint8Array | undefined;
  readonly upstreamId: string;
  readonly latencyMs: number;
  readonly timeToFirstTokenMs: number | undefined;
  readonly tags: readonly string[];
  readonly leaseId: Uint8Array | undefined;
  readonly createTimeMs: number;
};
