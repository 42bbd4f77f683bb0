import type { Sample } from "../domain/epoch.ts";

/**
 * Reads one answer of `/containers/{id}/stats`. Undefined for one that says nothing: a container that does not run, a runtime
 * that counts nothing, an answer in part. Engines send those with 200, zeroed: they are never counters of zero.
 *
 * `precpu_stats` and `system_cpu_usage` are not read: engines disagree on what they are.
 */
export function readFrame(frame: unknown): Sample | undefined {
  const readMs = Date.parse(textAt(frame, "read"));
  const cpu = numberAt(frame, "cpu_stats", "cpu_usage", "total_usage");
  // A container that has run has used something.
  if (!(readMs > 0) || cpu === undefined || cpu === 0n) return undefined;
  return {
    readMs,
    cpuNanoseconds: cpu,
    memoryBytes: memoryInUse(frame),
    ...traffic(frame),
    ...blockIo(frame),
  };
}

/** Usage without inactive file cache, which cgroup v1 and v2 name differently. Unknown where the engine does not tell the cache. */
function memoryInUse(frame: unknown): bigint | undefined {
  const usage = numberAt(frame, "memory_stats", "usage");
  const cache =
    numberAt(frame, "memory_stats", "stats", "total_inactive_file") ??
    numberAt(frame, "memory_stats", "stats", "inactive_file");
  if (usage === undefined || usage === 0n || cache === undefined) return undefined;
  return cache < usage ? usage - cache : usage;
}

/** Over all interfaces. Podman (4.3, measured) has one named "network", with both directions swapped. */
function traffic(frame: unknown): Pick<Sample, "sentBytes" | "receivedBytes"> {
  const networks = at(frame, "networks");
  if (typeof networks !== "object" || networks === null) {
    return { sentBytes: undefined, receivedBytes: undefined };
  }
  const names = Object.keys(networks);
  const sum = (field: string) =>
    names.reduce((all, name) => all + (numberAt(networks, name, field) ?? 0n), 0n);
  const isSwapped = names.length === 1 && names[0] === "network";
  const [sent, received] = isSwapped ? ["rx_bytes", "tx_bytes"] : ["tx_bytes", "rx_bytes"];
  return { sentBytes: sum(sent ?? ""), receivedBytes: sum(received ?? "") };
}

/** Direct device traffic. Old engines list operation counts beside bytes: only exact names are bytes. */
function blockIo(frame: unknown): Pick<Sample, "readBytes" | "writtenBytes"> {
  const entries = at(frame, "blkio_stats", "io_service_bytes_recursive");
  if (!Array.isArray(entries)) return { readBytes: undefined, writtenBytes: undefined };
  const sum = (op: string) =>
    entries
      .filter((entry) => textAt(entry, "op").toLowerCase() === op)
      .reduce<bigint>((all, entry) => all + (numberAt(entry, "value") ?? 0n), 0n);
  return { readBytes: sum("read"), writtenBytes: sum("write") };
}

function at(value: unknown, ...path: readonly string[]): unknown {
  let found = value;
  for (const key of path) {
    if (typeof found !== "object" || found === null) return undefined;
    found = Object.getOwnPropertyDescriptor(found, key)?.value;
  }
  return found;
}

function textAt(value: unknown, ...path: readonly string[]): string {
  const found = at(value, ...path);
  return typeof found === "string" ? found : "";
}

function numberAt(value: unknown, ...path: readonly string[]): bigint | undefined {
  const found = at(value, ...path);
  return typeof found === "number" && found >= 0 ? BigInt(Math.trunc(found)) : undefined;
}
