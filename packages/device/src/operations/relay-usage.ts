import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { AppError, isRefusal } from "@farebox/kit/app-error";
import type { Nanos } from "@farebox/kit/money";
import { allReasons } from "@farebox/kit/reasons";
import type { ReportDeviceUsageResult } from "@farebox/proto/farebox/billing/v1/device_usage";
import { ErrorReason } from "@farebox/proto/farebox/common/v1/error_reason";
import { isBrokenCircuitError } from "cockatiel";
import type { Allocation } from "../domain/allocation.ts";
import type { UsageWindow } from "../domain/usage-window.ts";
import { readAllocation, readAllocations } from "../store/allocation-store.ts";
import { claimDueWindows, closeWindow, countUndelivered } from "../store/window-store.ts";
import { askFirstHold } from "./advance-allocation.ts";
import type { DeviceDeps } from "./device-deps.ts";
import { protoQuantities } from "./proto-quantities.ts";
import type { ReportPolicy } from "./report-policy.ts";

const batchMax = 200;
const backOffMs = { first: 1_000, most: 60_000 };

type RelayDeps = DeviceDeps & { readonly policy: ReportPolicy };
type Charged = { readonly charged: Nanos | undefined };

/**
 * Tells Billing what is due, until nothing is. Billing charges each period of an allocation once, however often it is told. What
 * it refuses for good becomes a dead letter; all else is told again, with back-off, for as long as it takes. While the circuit
 * is open nothing is sent and nothing is lost.
 */
export async function relayUsage(deps: RelayDeps, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && deps.policy.isClosed()) {
    const nowMs = deps.clock.nowMs();
    const windows = await claimDueWindows(deps.pool, {
      ...{ nowMs, untilMs: nowMs + 2 * deps.policy.runMsMax, limit: batchMax },
    });
    const reports = windows.filter(({ kind }) => kind === "REPORT");
    if (reports.length > 0) await sendReports(deps, reports);
    for (const window of windows) {
      if (signal.aborted || !deps.policy.isClosed()) break;
      if (window.kind !== "REPORT") await settleOne(deps, window, () => giveBack(deps, window));
    }
    deps.events.reportsCounted(await countUndelivered(deps.pool));
    if (windows.length === 0) return;
  }
}

async function sendReports(deps: RelayDeps, windows: readonly UsageWindow[]): Promise<void> {
  const ids = windows.map(({ allocationId }) => allocationId);
  const allocations = await readAllocations(deps.pool, ids);
  const of = ({ allocationId }: UsageWindow) => allocations.get(allocationId);
  const reports = windows.map((window) => toReport(window, of(window)));
  try {
    const { results } = await deps.policy.run((options) =>
      deps.billing.batchReportDeviceUsage({ reports }, options),
    );
    await Promise.all(
      windows.map((window, at) =>
        settleOne(deps, window, () => readResult(deps, window, of(window), results[at])),
      ),
    );
  } catch (error) {
    await Promise.all(windows.map((window) => putOff(deps, window, error)));
  }
}

function toReport(window: UsageWindow, allocation: Allocation | undefined, hasLease = true) {
  const leaseId = hasLease ? (allocation?.leaseId ?? "") : "";
  const name = `alc_${window.allocationId}`;
  return {
    requestId: `${name}.${window.periodStartMs}`,
    accountId: window.accountId,
    userId: allocation?.ask.userId ?? "",
    deviceId: `dev_${window.allocationId}`,
    allocationId: name,
    leaseId,
    periodStart: timestampFromMs(window.periodStartMs),
    periodEnd: timestampFromMs(window.periodEndMs),
    ...reservedOf(allocation),
    quantities: protoQuantities(window.quantities),
    close: window.isLast && leaseId !== "",
  };
}

/** Shown with the charge; the quantities are what is charged. */
function reservedOf(allocation: Allocation | undefined) {
  if (allocation === undefined) return {};
  const { cpuMillis, memoryMb, storageMb } = allocation.ask.resources;
  return {
    cpuCores: cpuMillis / 1000,
    memoryMb: BigInt(memoryMb),
    storageMb: BigInt(storageMb),
  };
}

/** What Billing said to one report. A lease that it has forgotten charges without. */
async function readResult(
  deps: RelayDeps,
  window: UsageWindow,
  allocation: Allocation | undefined,
  result: ReportDeviceUsageResult | undefined,
): Promise<Charged> {
  if (result?.response !== undefined) {
    return { charged: result.response.charged?.amountNanos };
  }
  const error = result?.error ?? ErrorReason.UNAVAILABLE;
  if (error !== ErrorReason.LEASE_NOT_FOUND) throw refusalOf(error);
  const report = toReport(window, allocation, false);
  const { charged } = await deps.policy.run((options) =>
    deps.billing.reportDeviceUsage(report, options),
  );
  return { charged: charged?.amountNanos };
}

/** Closes the lease of what was never used; finds it first, where its answer was lost. */
async function giveBack(deps: RelayDeps, window: UsageWindow): Promise<Charged> {
  const allocation = await readAllocation(deps.pool, window.allocationId);
  if (allocation === undefined) return { charged: undefined };
  const leaseId = await leaseOf(deps, window, allocation);
  if (leaseId === "") return { charged: undefined };
  const { accountId } = allocation;
  const requestId = `alc_${allocation.id}.release`;
  try {
    await deps.policy.run((options) =>
      deps.billing.releaseQuota({ requestId, accountId, leaseId, epoch: 0n }, options),
    );
  } catch (error) {
    if (!(error instanceof AppError && error.reason === "LEASE_NOT_FOUND")) throw error;
  }
  return { charged: undefined };
}

async function leaseOf(
  deps: RelayDeps,
  { kind }: UsageWindow,
  allocation: Allocation,
): Promise<string> {
  if (kind === "RELEASE") return allocation.leaseId;
  const answer = await askFirstHold(deps, allocation);
  return answer.kind === "held" ? answer.leaseId : "";
}

/** Does one thing, and writes what came of it. */
async function settleOne(
  deps: RelayDeps,
  window: UsageWindow,
  tell: () => Promise<Charged>,
): Promise<void> {
  try {
    const { charged } = await tell();
    await closeWindow(deps.pool, window.id, { state: "DELIVERED", charged });
  } catch (error) {
    await putOff(deps, window, error);
  }
}

async function putOff(deps: RelayDeps, window: UsageWindow, error: unknown): Promise<void> {
  const { id, allocationId, attempts } = window;
  if (isRefusal(error)) {
    await closeWindow(deps.pool, id, { state: "DEAD", error: error.reason });
    deps.events.reportDead(allocationId, `dut_${id}`, error.reason);
    return;
  }
  const waitMs = Math.min(backOffMs.first * 2 ** Math.min(attempts, 10), backOffMs.most);
  const dueMs = deps.clock.nowMs() + waitMs;
  const reason = error instanceof AppError ? error.reason : "UNAVAILABLE";
  const isSent = !isBrokenCircuitError(error);
  await closeWindow(deps.pool, id, { state: "PENDING", error: reason, dueMs, isSent });
  if (isSent) deps.events.reportPutOff(allocationId, error);
}

function refusalOf(error: ErrorReason): AppError {
  return new AppError(allReasons().find((it) => ErrorReason[it] === error) ?? "INTERNAL");
}
