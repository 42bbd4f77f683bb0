import { isRefusal } from "@farebox/kit/app-error";
import type { Nanos } from "@farebox/kit/money";
import type { DeviceCharge } from "@farebox/proto/farebox/billing/v1/device_usage";
import type { Allocation } from "../domain/allocation.ts";
import type { UsageWindow } from "../domain/usage-window.ts";
import { readEnded } from "../store/allocation-store.ts";
import { listWindows } from "../store/window-store.ts";
import { billingUnavailable } from "./billing-unavailable.ts";
import type { DeviceDeps } from "./device-deps.ts";

const allocationsMax = 1_000;
const windowsMax = 10_000;
const pageSize = 500;

/** What does not agree between our reports and Billing's charges. */
export type Reconciliation = {
  readonly comparedCount: number;
  readonly pendingCount: number;
  readonly differences: readonly {
    readonly allocation: Allocation;
    readonly reported: Nanos;
    readonly charged: Nanos;
    readonly unmatchedCount: number;
  }[];
};

/** Compares allocations that ended since, period by period. Changes nothing. Errors: BILLING_UNAVAILABLE. */
export async function reconcileAllocations(
  deps: DeviceDeps,
  sinceMs: number,
  signal: AbortSignal,
): Promise<Reconciliation> {
  const ended = await readEnded(deps.pool, { sinceMs, limit: allocationsMax });
  const differences: Reconciliation["differences"][number][] = [];
  let pendingCount = 0;
  for (const allocation of ended) {
    signal.throwIfAborted();
    const filter = { state: undefined, allocationId: allocation.id };
    const page = { after: undefined, limit: windowsMax };
    const windows = await listWindows(deps.pool, filter, page);
    // So many periods are not compared here: neither side is read to its end.
    const isCut = windows.length >= windowsMax;
    if (isCut || windows.some(({ state }) => state !== "DELIVERED")) {
      pendingCount += 1;
      continue;
    }
    const compared = compare(windows, await readCharges(deps, allocation));
    if (compared.unmatchedCount === 0 && compared.reported === compared.charged) continue;
    differences.push({ allocation, ...compared });
    deps.events.differenceFound(allocation.id);
  }
  return { comparedCount: ended.length - pendingCount, pendingCount, differences };
}

function compare(windows: readonly UsageWindow[], charges: readonly DeviceCharge[]) {
  const reports = windows.filter(({ kind }) => kind === "REPORT");
  const ours = new Set(reports.map((it) => `alc_${it.allocationId}.${it.periodStartMs}`));
  const theirs = new Set(charges.map(({ requestId }) => requestId));
  return {
    reported: reports.reduce((sum, { charged }) => sum + (charged ?? 0n), 0n),
    charged: charges.reduce((sum, { charged }) => sum + (charged?.amountNanos ?? 0n), 0n),
    unmatchedCount: missing(ours, theirs) + missing(theirs, ours),
  };
}

function missing(from: ReadonlySet<string>, within: ReadonlySet<string>): number {
  return [...from].filter((it) => !within.has(it)).length;
}

async function readCharges(
  { reports }: DeviceDeps,
  { id, accountId }: Allocation,
): Promise<readonly DeviceCharge[]> {
  const charges: DeviceCharge[] = [];
  let pageToken = "";
  try {
    do {
      const query = { accountId, allocationId: `alc_${id}`, pageSize, pageToken };
      const page = await reports.listDeviceCharges(query);
      charges.push(...page.charges);
      pageToken = page.nextPageToken;
    } while (pageToken !== "" && charges.length < windowsMax);
  } catch (error) {
    throw isRefusal(error) ? error : billingUnavailable(error);
  }
  return charges;
}
