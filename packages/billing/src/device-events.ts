import type { Logger } from "@farebox/kit/logger";

/** What happens to charges of devices, beside what happens to all money. */
export type DeviceEvents = {
  /** A report of a batch met an error of ours: an alarm. Nothing was charged for it. */
  deviceReportFailed(report: {
    readonly accountId: string;
    readonly allocationId: string;
    readonly err: unknown;
  }): void;
};

/** Makes the events of one process. */
export function createDeviceEvents({ log }: { readonly log: Logger }): DeviceEvents {
  return {
    deviceReportFailed: (report) => log.error({ event: "device.report_failed", ...report }),
  };
}
