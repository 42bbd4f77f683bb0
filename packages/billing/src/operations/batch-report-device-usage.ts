import { AppError } from "@farebox/kit/app-error";
import type { DeviceEvents } from "../device-events.ts";
import {
  type ReportDeviceUsageDeps,
  type ReportDeviceUsageInput,
  type ReportedDeviceUsage,
  reportDeviceUsage,
} from "./report-device-usage.ts";

export type BatchReportDeviceUsageDeps = ReportDeviceUsageDeps & {
  readonly deviceEvents: DeviceEvents;
};

/** What came of one report of a batch. */
export type DeviceReportOutcome = ReportedDeviceUsage | AppError;

/** Reports under way at once: each is a transaction with its own connection. */
const atOnceMax = 8;

/**
 * Charges many reports, each in its own transaction: one that is refused never undoes another. Those of one allocation go
 * one after another, in the order of their periods, so that each carries on what the one before left over.
 */
export async function batchReportDeviceUsage(
  deps: BatchReportDeviceUsageDeps,
  inputs: readonly ReportDeviceUsageInput[],
): Promise<readonly DeviceReportOutcome[]> {
  const outcomes = new Map<ReportDeviceUsageInput, DeviceReportOutcome>();
  const byAllocation = Map.groupBy(inputs, ({ report }) => report.allocationId);
  const groups = [...byAllocation.values()].map((group) => group.toSorted(byPeriod)).values();
  const work = async () => {
    for (const group of groups) {
      for (const input of group) outcomes.set(input, await outcomeOf(deps, input));
    }
  };
  await Promise.all(Array.from({ length: atOnceMax }, work));
  return inputs.map((input) => outcomes.get(input) ?? new AppError("INTERNAL"));
}

function byPeriod(a: ReportDeviceUsageInput, b: ReportDeviceUsageInput): number {
  return a.report.periodStartMs - b.report.periodStartMs;
}

async function outcomeOf(
  deps: BatchReportDeviceUsageDeps,
  input: ReportDeviceUsageInput,
): Promise<DeviceReportOutcome> {
  try {
    return await reportDeviceUsage(deps, input);
  } catch (error) {
    if (error instanceof AppError) return error;
    const { accountId, allocationId } = input.report;
    deps.deviceEvents.deviceReportFailed({ accountId, allocationId, err: error });
    return new AppError("INTERNAL", undefined, { cause: error });
  }
}
