import type { Logger } from "@farebox/kit/logger";
import type { Metrics } from "@farebox/kit/metrics";
import type { Allocation } from "./domain/allocation.ts";

/** What happens to devices. Nothing here holds a command, an environment or a key. */
export type DeviceEvents = {
  allocationMoved(allocation: Allocation): void;
  /** A step for it went no further; it is tried again. */
  allocationPutOff(allocationId: string, error: unknown): void;
  /** An engine does not do what it is asked. */
  nodeSilent(node: { readonly id: string; readonly displayName: string }, error: unknown): void;
  /** A container of ours that no allocation wants was removed. */
  orphanRemoved(nodeId: string, containerName: string): void;
  /** An engine answered without figures for a running device: an alarm. */
  unmeasured(allocationId: string): void;
  /** So many devices of a node were sampled, and the oldest sample was so old. */
  sampled(of: { readonly node: string; readonly devices: number; readonly lagMs: number }): void;
  /** Samples did not reach Redis: no figures are shown, the bill does not depend on it. */
  samplesNotShown(error: unknown): void;
  /** Billing did not take what it was told; it is told again. */
  reportPutOff(allocationId: string, error: unknown): void;
  /** Billing refused it for good: an alarm, a person decides. */
  reportDead(allocationId: string, windowId: string, reason: string): void;
  reportsCounted(of: { readonly pending: number; readonly dead: number }): void;
  /** Reports and charges of an allocation do not agree: an alarm. */
  differenceFound(allocationId: string): void;
};

/** Makes the events of one process. */
export function createDeviceEvents(deps: {
  readonly log: Logger;
  readonly metrics: Metrics;
}): DeviceEvents {
  const { log } = deps;
  const meters = createMeters(deps.metrics);
  return {
    allocationMoved: ({ id, accountId, nodeId, state, endReason }) => {
      meters.allocations.inc({
        state: state.toLowerCase(),
        reason: (endReason ?? "").toLowerCase(),
      });
      const names = { allocationId: `alc_${id}`, accountId, nodeId: nodeId && `nod_${nodeId}` };
      log.info({ event: "allocation.moved", ...names, state, endReason });
    },
    allocationPutOff: (id, err) =>
      log.warn({ event: "allocation.put_off", allocationId: `alc_${id}`, err }),
    nodeSilent: ({ id, displayName }, err) => {
      meters.silences.inc({ node: displayName });
      log.warn({ event: "node.silent", nodeId: `nod_${id}`, node: displayName, err });
    },
    orphanRemoved: (nodeId, container) => {
      meters.orphans.inc({});
      log.warn({ event: "orphan.removed", nodeId: `nod_${nodeId}`, container });
    },
    unmeasured: (id) => {
      meters.unmeasured.inc({});
      log.warn({ event: "device.unmeasured", allocationId: `alc_${id}` });
    },
    sampled: ({ node, devices, lagMs }) => {
      meters.devices.set({ node }, devices);
      meters.lag.observe({}, lagMs / 1000);
    },
    samplesNotShown: (err) => log.warn({ event: "samples.not_shown", err }),
    reportPutOff: (id, err) =>
      log.warn({ event: "report.put_off", allocationId: `alc_${id}`, err }),
    reportDead: (id, windowId, reason) =>
      log.error({ event: "report.dead", allocationId: `alc_${id}`, windowId, reason }),
    reportsCounted: ({ pending, dead }) => {
      meters.reports.set({ state: "pending" }, pending);
      meters.reports.set({ state: "dead" }, dead);
    },
    differenceFound: (id) => {
      meters.differences.inc({});
      log.error({ event: "allocation.difference", allocationId: `alc_${id}` });
    },
  };
}

function createMeters(metrics: Metrics) {
  return {
    allocations: metrics.counter({
      name: "device_allocations_total",
      help: "Allocations, by the state that they came into and why they ended",
      labels: ["state", "reason"],
    }),
    silences: metrics.counter({
      name: "device_node_silent_total",
      help: "Ticks in which a node's engine did not answer",
      labels: ["node"],
    }),
    orphans: metrics.counter({
      name: "device_orphans_removed_total",
      help: "Containers of ours that no allocation wanted",
      labels: [],
    }),
    unmeasured: metrics.counter({
      name: "device_unmeasured_total",
      help: "Ticks in which a running device had no figures",
      labels: [],
    }),
    devices: metrics.gauge({
      name: "device_sampled",
      help: "Devices of a node that this process sampled at its last tick",
      labels: ["node"],
    }),
    lag: metrics.histogram({
      name: "device_sample_lag_seconds",
      help: "From the engine's reading of the oldest sample of a tick to its being kept",
      labels: [],
      buckets: [0.1, 0.5, 1, 1.5, 2, 3, 5, 10],
    }),
    differences: metrics.counter({
      name: "device_differences_total",
      help: "Allocations whose reports and charges did not agree when they were compared",
      labels: [],
    }),
    reports: metrics.gauge({
      name: "device_reports",
      help: "Usage reports that Billing has not taken, by state; dead ones wait for a person",
      labels: ["state"],
    }),
  };
}
