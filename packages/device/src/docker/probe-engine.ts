import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Measurable } from "../domain/choose-node.ts";
import type { Sample } from "../domain/epoch.ts";
import type { Engine } from "./engine.ts";

/** Uses a core, holds 24 MB, and knocks at an address that nobody has, again and again; for a minute, should nobody stop it. */
const load = `hold=$(head -c 25165824 /dev/zero | tr '\\0' x)
end=$(($(date +%s) + 60))
while [ $(date +%s) -lt $end ]; do nc -w 1 192.0.2.1 9 </dev/null & i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; done`;
const resources = { cpuMillis: 1000, memoryMb: 128, storageMb: 0 };
const samplesMax = 12;
const heldBytes = 16n << 20n;
const cpuNanosecondsLeast = 100_000_000n;

/**
 * Runs a known load and looks which dimensions move: time of cores by a tenth of a second, memory above 16 MB, any traffic
 * sent. What does not move within a dozen samples cannot be measured there. Leaves nothing
 * behind; a probe that was cut off ends by itself, and is removed by the next look at its node.
 */
export async function probeEngine(
  engine: Engine,
  image: string,
  of: { readonly installation: string; readonly network: string },
): Promise<Measurable> {
  const { containerId } = await engine.run({
    name: `farebox-probe-${randomBytes(8).toString("hex")}`,
    image,
    command: ["sh", "-c", load],
    environment: {},
    isReadOnly: false,
    resources,
    network: of.network,
    labels: { "farebox.installation": of.installation, "farebox.probe": "true" },
  });
  try {
    let first: Sample | undefined;
    let seen: Measurable = { cpu: false, memory: false, network: false };
    for (let tries = 0; tries < samplesMax && !hasAll(seen); tries += 1) {
      const sample = await engine.sample(containerId);
      // Some engines answer at once, with counters that move only now and then.
      await sleep(200);
      if (sample === undefined) continue;
      first ??= sample;
      seen = look(seen, first, sample);
    }
    return seen;
  } finally {
    await engine.remove(containerId);
  }
}

function look(seen: Measurable, first: Sample, sample: Sample): Measurable {
  const { cpuNanoseconds, memoryBytes = 0n, sentBytes = 0n } = sample;
  return {
    cpu: seen.cpu || cpuNanoseconds - first.cpuNanoseconds >= cpuNanosecondsLeast,
    memory: seen.memory || memoryBytes >= heldBytes,
    network: seen.network || sentBytes > 0n,
  };
}

function hasAll({ cpu, memory, network }: Measurable): boolean {
  return cpu && memory && network;
}
