import type { ReplayContainer, ReplayEngine } from "./replay-engine.ts";

/** Whose answers are given: see docs/devices.md for where each was seen. */
export type Flavour = "docker-v1" | "docker-v2" | "podman" | "gvisor" | "host-network";

/** What a container has really used in a run. */
export type Truth = {
  readonly cpuNanoseconds: number;
  readonly sentBytes: number;
  readonly memoryByteMs: number;
};

/** A stopped container's answer: 200, and zeros. */
export function zeroFrame({ id, name }: Pick<ReplayContainer, "id" | "name">) {
  return {
    ...{ id, name: `/${name}`, read: "0001-01-01T00:00:00Z", preread: "0001-01-01T00:00:00Z" },
    cpu_stats: { cpu_usage: { total_usage: 0 }, throttling_data: {} },
    memory_stats: {},
    pids_stats: {},
  };
}

/** What an engine answers of a running container now, and what is true of it. */
export function frameOf(
  engine: Pick<ReplayEngine, "load" | "flavour">,
  container: ReplayContainer,
  nowMs: number,
): { readonly frame: object; readonly truth: Truth } {
  const ms = Math.max(0, nowMs - container.startedMs);
  const { cpuShare, memoryBytes, sentPerSecond } = engine.load;
  const truth: Truth = {
    // A container's first process costs something at once.
    cpuNanoseconds: 1_000_000 + Math.round((container.nanoCpus * cpuShare * ms) / 1000),
    sentBytes: Math.round((sentPerSecond * ms) / 1000),
    memoryByteMs: memoryBytes * ms,
  };
  return { frame: spell(engine.flavour, container, truth, { nowMs, memoryBytes }), truth };
}

function spell(
  flavour: Flavour,
  { id, name }: ReplayContainer,
  truth: Truth,
  { nowMs, memoryBytes }: { readonly nowMs: number; readonly memoryBytes: number },
): object {
  const isCounted = flavour !== "gvisor";
  const cache = 8 << 20;
  const eth0 = { rx_bytes: 500, tx_bytes: truth.sentBytes, rx_packets: 5, tx_packets: 5 };
  const swapped = { rx_bytes: truth.sentBytes, tx_bytes: 500, rx_packets: 0, tx_packets: 0 };
  const networks = {
    ...(flavour === "podman" ? { network: swapped } : { eth0 }),
  };
  const cacheName = flavour === "docker-v2" ? "inactive_file" : "total_inactive_file";
  return {
    id,
    name: `/${name}`,
    read: new Date(nowMs).toISOString(),
    cpu_stats: {
      cpu_usage: { total_usage: isCounted ? truth.cpuNanoseconds : 0 },
      // Wrong on purpose: nobody may read it.
      system_cpu_usage: 1,
    },
    precpu_stats: { cpu_usage: { total_usage: 0 } },
    memory_stats: isCounted
      ? {
          usage: memoryBytes + (flavour === "podman" ? 0 : cache),
          stats: flavour === "podman" ? null : { [cacheName]: cache },
        }
      : {},
    ...(flavour === "host-network" || !isCounted ? {} : { networks }),
    blkio_stats: {
      io_service_bytes_recursive:
        flavour === "docker-v2"
          ? null
          : [
              { op: "Read", value: 4096 },
              { op: "Write", value: 8192 },
            ],
    },
  };
}
