import type { ContainerSight, Engine, ListedContainer, SampleStream } from "../docker/engine.ts";
import type { Allocation } from "../domain/allocation.ts";
import { containerName, leaseEndOf } from "../domain/container-name.ts";
import type { DeviceNode } from "../domain/device-node.ts";
import type { Sample } from "../domain/epoch.ts";
import { readAllocation, readRunning } from "../store/allocation-store.ts";
import { markHeartbeat } from "../store/node-store.ts";
import type { DeviceDeps } from "./device-deps.ts";
import { type KeyedSample, keepSamples } from "./keep-samples.ts";
import { beginRelease } from "./release-allocation.ts";
import type { ShownSample, ShowSamples } from "./show-samples.ts";

/** What a collector remembers of a container between two ticks. Losing it loses at most what was counted since the last. */
export type Watched = {
  stream: SampleStream;
  startedAt: string;
  /** Since when it is not running; undefined while it is. */
  downSinceMs: number | undefined;
  /** Looks in a row without a sample. */
  blindLooks: number;
  last: Sample | undefined;
};

/** So many looks without a sample are an alarm: an engine may send one every five seconds. */
const blindLooksMax = 4;
const removalsAtATime = 8;
const startedMsMax = 10_000;

export type CollectDeps = DeviceDeps & { readonly show: ShowSamples };

/**
 * One look at a node: lists its containers, takes what their streams have brought, and sets right what is not as it should be. What
 * an allocation wants and is not there has ended; what is there and no allocation wants is removed. List and inspect are the
 * truth: no event is needed. Rejects with an EngineError when the node does not answer.
 */
export async function collectNode(
  deps: CollectDeps,
  node: DeviceNode,
  watched: Map<string, Watched>,
): Promise<void> {
  const engine = deps.engines.of(node.engineUrl);
  // The books first: what is made after this is on no list of containers either way.
  const running = await readRunning(deps.pool, node.id);
  const listed = await engine.list(deps.installation);
  // What is inspected after this moment ran at it.
  const seenMs = deps.clock.nowMs();
  await markHeartbeat(deps.pool, node.id, seenMs);
  const byAllocation = Map.groupBy(listed, ({ labels }) => labels["farebox.allocation"] ?? "");
  const looks = await Promise.allSettled(
    running.map((it) => look(deps, engine, it, byAllocation.get(it.id), watched)),
  );
  // What could not be looked at is looked at again in a tick; all else is not held up by it.
  const failed = looks.find((it) => it.status === "rejected");
  if (failed !== undefined) deps.events.nodeSilent(node, failed.reason);
  await keep(
    deps,
    node,
    looks.flatMap((it) => (it.status === "fulfilled" ? it.value : [])),
    seenMs,
  );
  await deps.show(forgetEnded(watched, running, seenMs));
  await removeOrphans(deps, engine, node, without(listed, running));
}

type Look = {
  readonly allocation: Allocation;
  readonly isSeen: boolean;
  readonly samples: readonly KeyedSample[];
  readonly shown: ShownSample | undefined;
};

/** Looks at one device. */
async function look(
  deps: CollectDeps,
  engine: Engine,
  allocation: Allocation,
  listed: readonly ListedContainer[] | undefined,
  watched: Map<string, Watched>,
): Promise<Look> {
  const { id, containerId, leaseEndMs = 0 } = allocation;
  const own = listed?.find((it) => it.containerId === containerId);
  const watch = watched.get(id) ?? begin(engine, containerId);
  watched.set(id, watch);
  if (watch.stream.hasEnded) watch.stream = engine.follow(containerId);
  const { samples, zeros } = watch.stream.take();
  // After the frames: a run that began before this answer and after a frame is told apart by its start.
  const sight = own === undefined ? undefined : await engine.inspect(containerId);
  const keyed = keySamples(allocation, watch, sight, samples);
  const nowMs = deps.clock.nowMs();
  if (!sight?.isRunning) {
    await endIfDown(deps, allocation, watch, sight, nowMs);
    return { allocation, isSeen: false, samples: keyed, shown: undefined };
  }
  watch.downSinceMs = undefined;
  watch.blindLooks = samples.length > 0 ? 0 : watch.blindLooks + 1;
  if (zeros > 0 || watch.blindLooks > blindLooksMax) {
    if (samples.length === 0) deps.events.unmeasured(id);
  }
  if (own !== undefined) await nameEnd(deps, engine, own, leaseEndMs);
  const isOver = nowMs >= leaseEndMs;
  const shown = showable(allocation, watch, samples.at(-1), nowMs);
  return { allocation, isSeen: true, samples: isOver ? [] : keyed, shown };
}

/** Tells the node of an end that has moved, which whoever extended could not. Never of an earlier one: that is merely old. */
async function nameEnd(
  deps: CollectDeps,
  engine: Engine,
  { containerId, name, labels }: ListedContainer,
  leaseEndMs: number,
): Promise<void> {
  const id = labels["farebox.allocation"] ?? "";
  if ((leaseEndOf(name) ?? 0) >= leaseEndMs) return;
  try {
    await engine.rename(containerId, containerName(id, leaseEndMs));
  } catch (error) {
    deps.events.allocationPutOff(id, error);
  }
}

function begin(engine: Engine, containerId: string): Watched {
  const stream = engine.follow(containerId);
  return { stream, startedAt: "", downSinceMs: undefined, blindLooks: 0, last: undefined };
}

/**
 * Says which run each sample is of. Taken before the inspection and read after the start that it tells of, a sample is of that run;
 * read before it, of the run that was known before, or of none that is known.
 */
function keySamples(
  { id }: Allocation,
  watch: Watched,
  sight: ContainerSight | undefined,
  samples: readonly Sample[],
): readonly KeyedSample[] {
  const before = watch.startedAt;
  const now = sight?.startedAt ?? before;
  const startedMs = Date.parse(now);
  watch.startedAt = now;
  return samples.flatMap((sample) => {
    const startedAt = sample.readMs >= startedMs ? now : before === now ? "" : before;
    return startedAt === "" ? [] : [{ allocationId: id, startedAt, sample }];
  });
}

/** A container may be started anew by hand; one that stays down has ended. */
async function endIfDown(
  deps: CollectDeps,
  { id }: Allocation,
  watch: Watched,
  sight: ContainerSight | undefined,
  nowMs: number,
): Promise<void> {
  watch.downSinceMs ??= nowMs;
  if (sight !== undefined && nowMs - watch.downSinceMs < deps.terms.restartPatienceMs) return;
  const note =
    sight === undefined
      ? "the container is gone"
      : `exit code ${sight.exitCode}${sight.isOutOfMemory ? ", out of memory" : ""}`;
  // No more: taking it down may take long, and others wait for this look.
  await beginRelease(deps, id, { reason: "CONTAINER_EXITED", note });
}

function showable(
  { id: allocationId, startMs = 0 }: Allocation,
  watch: Watched,
  sample: Sample | undefined,
  nowMs: number,
): ShownSample | undefined {
  if (sample === undefined) return undefined;
  const { last: before } = watch;
  watch.last = sample;
  // A collector that takes over begins in the middle.
  const isFirst = before === undefined && nowMs - startMs < startedMsMax;
  return { allocationId, type: isFirst ? "STARTED" : "PERIODIC", sample, before, nowMs };
}

async function keep(
  deps: CollectDeps,
  { displayName }: DeviceNode,
  looks: readonly Look[],
  seenMs: number,
): Promise<void> {
  const nowMs = deps.clock.nowMs();
  const ids = looks.filter(({ isSeen }) => isSeen).map(({ allocation }) => allocation.id);
  const samples = looks.flatMap((it) => it.samples);
  await keepSamples(deps, samples, { ids, seenMs });
  const shown = looks.flatMap((it) => it.shown ?? []);
  const oldestMs = Math.min(nowMs, ...shown.map(({ sample }) => sample.readMs));
  const lagMs = nowMs - oldestMs;
  deps.events.sampled({ node: displayName, devices: shown.length, lagMs });
  await deps.show(shown);
}

/** Lets go of what runs no longer, and answers their last samples. */
function forgetEnded(
  watched: Map<string, Watched>,
  running: readonly Allocation[],
  nowMs: number,
): readonly ShownSample[] {
  const ids = new Set(running.map(({ id }) => id));
  const ended: ShownSample[] = [];
  for (const [allocationId, { stream, last }] of watched) {
    if (ids.has(allocationId)) continue;
    stream[Symbol.dispose]();
    watched.delete(allocationId);
    if (last !== undefined) {
      ended.push({ allocationId, type: "STOPPED", sample: last, before: undefined, nowMs });
    }
  }
  return ended;
}

function wants(allocation: Allocation, containerId: string): boolean {
  switch (allocation.state) {
    case "PLACED":
      return true;
    case "RUNNING":
    case "RELEASING":
      return allocation.containerId === containerId;
    default:
      return false;
  }
}

/**
 * Removes containers of this installation that no allocation wants: of an allocation that has ended, perhaps while the node was
 * away; or a second one of an allocation; and probes that have ended. One that is about to start or to end is wanted. Whose node
 * it is does not matter. One that cannot be removed holds up no other, and is tried again.
 */
async function removeOrphans(
  deps: CollectDeps,
  engine: Engine,
  node: DeviceNode,
  suspects: readonly ListedContainer[],
): Promise<void> {
  for (let at = 0; at < suspects.length; at += removalsAtATime) {
    const turn = suspects.slice(at, at + removalsAtATime).map(async (container) => {
      if (!(await isOrphan(deps, container))) return;
      await engine.remove(container.containerId);
      deps.events.orphanRemoved(node.id, container.name);
    });
    for (const { status, ...it } of await Promise.allSettled(turn)) {
      if (status === "rejected" && "reason" in it) deps.events.nodeSilent(node, it.reason);
    }
  }
}

/** What is listed and is no running device's own. A create that was given up may come to pass late, under an old name. */
function without(
  listed: readonly ListedContainer[],
  running: readonly Allocation[],
): readonly ListedContainer[] {
  const own = new Set(running.map(({ containerId }) => containerId));
  return listed.filter(({ containerId }) => !own.has(containerId));
}

async function isOrphan(
  { pool }: CollectDeps,
  { containerId, labels, isRunning }: ListedContainer,
): Promise<boolean> {
  const id = labels["farebox.allocation"] ?? "";
  if (!/^[0-9a-f]{32}$/.test(id)) return labels["farebox.probe"] === "true" && !isRunning;
  const allocation = await readAllocation(pool, id);
  return allocation === undefined || !wants(allocation, containerId);
}
