import { AppError, fieldError } from "@farebox/kit/app-error";
import type { RpcImpl } from "@farebox/kit/rpc-context";
import { createRequestValidator } from "@farebox/kit/validate-interceptor";
import { BillingService } from "@farebox/proto/farebox/billing/v1/billing_service";
import type { ReportDeviceUsageRequest } from "@farebox/proto/farebox/billing/v1/device_usage";
import { ErrorReason } from "@farebox/proto/farebox/common/v1/error_reason";
import {
  type BatchReportDeviceUsageDeps,
  batchReportDeviceUsage,
  type DeviceReportOutcome,
} from "../operations/batch-report-device-usage.ts";
import {
  type ReportDeviceUsageInput,
  reportDeviceUsage,
} from "../operations/report-device-usage.ts";
import { fromReport, toProtoReported } from "./convert-device.ts";

const reportsMax = 500;

/** Those that check their own requests: one report at fault must not refuse a whole batch. */
export const deviceUsageUnvalidated = ["batchReportDeviceUsage"] as const;

/** The methods of `BillingService` that charge devices. */
export function deviceUsageMethods(
  deps: BatchReportDeviceUsageDeps,
): Pick<RpcImpl<typeof BillingService>, "reportDeviceUsage" | "batchReportDeviceUsage"> {
  const validate = createRequestValidator();
  const read = (report: ReportDeviceUsageRequest): ReportDeviceUsageInput | AppError => {
    try {
      validate(BillingService.method.reportDeviceUsage, report);
      return fromReport(report, deps.clock.nowMs());
    } catch (error) {
      if (error instanceof AppError) return error;
      throw error;
    }
  };
  return {
    reportDeviceUsage: async (req) =>
      toProtoReported(await reportDeviceUsage(deps, fromReport(req, deps.clock.nowMs()))),
    batchReportDeviceUsage: async ({ reports }) => {
      if (reports.length === 0 || reports.length > reportsMax) {
        throw fieldError("reports", "must be 1 to 500");
      }
      const inputs = reports.map(read);
      const sound = inputs.flatMap((it) => (it instanceof AppError ? [] : [it]));
      const outcomes = (await batchReportDeviceUsage(deps, sound)).values();
      const results = inputs.map((it) => (it instanceof AppError ? it : outcomes.next().value));
      return { results: results.map((it) => toResult(it ?? new AppError("INTERNAL"))) };
    },
  };
}

function toResult(outcome: DeviceReportOutcome) {
  if (!(outcome instanceof AppError)) return { response: toProtoReported(outcome) };
  return { error: ErrorReason[outcome.reason], field: outcome.metadata.field ?? "" };
}
