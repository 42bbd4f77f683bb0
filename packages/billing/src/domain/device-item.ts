import { noUsage } from "@farebox/pricing/usage";
import type { DeviceReport } from "./device-report.ts";
import type { DecodedItem } from "./usage-item.ts";

/** The service, provider and model that devices stand under in transactions and cost summaries. */
export const deviceService = "device";

/** Usage sources and states as the contract numbers them. */
const providerSource = 1;
const succeeded = 1;

/** A report as the item that settlement charges: it began when the period did, and names the allocation as its upstream id. */
export function deviceItem(
  report: DeviceReport,
  of: { readonly id: string; readonly costNanos: bigint },
): DecodedItem {
  return {
    id: of.id,
    accountId: report.accountId,
    leaseId: report.leaseId,
    requestId: report.requestId,
    attempt: 1,
    service: deviceService,
    provider: deviceService,
    model: deviceService,
    apiKeyId: "",
    userId: report.userId,
    usage: noUsage,
    usageSource: providerSource,
    state: succeeded,
    httpStatus: 0,
    costNanos: of.costNanos,
    priceSnapshotId: "",
    providerCostNanos: undefined,
    freeUnits: 0,
    upstreamId: report.allocationId,
    startTimeMs: report.periodStartMs,
    latencyMs: report.periodEndMs - report.periodStartMs,
    timeToFirstTokenMs: undefined,
    tags: [],
    errorCode: 0,
    claimed: false,
    encoded: noBytes,
  };
}

const noBytes = new Uint8Array();
