import type { Strategy } from "./device-ask.ts";
import type { PriceModes } from "./owed-usage.ts";
import { fitsInto, type Resources, subtractResources } from "./resources.ts";

/** A node as a scheduler sees it. */
export type NodeSight = {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly capacity: Resources;
  /** The most that is promised while the device would be there. */
  readonly promised: Resources;
  readonly devices: number;
  readonly devicesOfAccount: number;
  readonly measurable: Measurable;
};

/** What a probe could measure on a node. */
export type Measurable = {
  readonly cpu: boolean;
  readonly memory: boolean;
  readonly network: boolean;
};

/** What a device needs of its node. */
export type NodeWish = {
  readonly resources: Resources;
  readonly nodeLabels: Readonly<Record<string, string>>;
  readonly modes: PriceModes;
  readonly strategy: Strategy;
};

/**
 * The ids of the nodes that a device can go to, the best first. `pick` draws a whole number below its argument, for
 * BEST_OF_TWO. Nodes that are alike are ordered by id, so that the same sight gives the same order.
 */
export function rankNodes(
  nodes: readonly NodeSight[],
  wish: NodeWish,
  pick: (below: number) => number,
): readonly string[] {
  const fitting = nodes.filter((node) => suits(node, wish));
  const ranked = fitting.toSorted(
    (a, b) => compare(order[wish.strategy], a, b) || (a.id < b.id ? -1 : 1),
  );
  return (wish.strategy === "BEST_OF_TWO" ? bestOfTwo(ranked, pick) : ranked).map(({ id }) => id);
}

/** Whether a node has room, the labels, and a way to measure what is priced by use. */
export function suits(node: NodeSight, wish: NodeWish): boolean {
  const { cpu, memory } = wish.modes;
  return (
    fitsInto(wish.resources, subtractResources(node.capacity, node.promised)) &&
    Object.entries(wish.nodeLabels).every(([key, value]) => node.labels[key] === value) &&
    (cpu === "RESERVED" || node.measurable.cpu) &&
    (memory === "RESERVED" || node.measurable.memory)
  );
}

type Key = (node: NodeSight) => number;

/** Lower goes first, key by key. */
const order: { readonly [S in Strategy]: readonly Key[] } = {
  BIN_PACK: [freeShare],
  SPREAD: [(node) => node.devicesOfAccount, (node) => node.devices],
  LEAST_LOADED: [(node) => -freeShare(node)],
  BEST_OF_TWO: [(node) => -freeShare(node)],
  AFFINITY: [(node) => -node.devicesOfAccount, freeShare],
};

function compare(keys: readonly Key[], a: NodeSight, b: NodeSight): number {
  for (const key of keys) {
    const difference = key(a) - key(b);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The share of a node that is free, of whichever of its resources is scarcest; storage counts where there is some. */
function freeShare({ capacity, promised }: NodeSight): number {
  const shares = [share(capacity.cpuMillis, promised.cpuMillis)];
  shares.push(share(capacity.memoryMb, promised.memoryMb));
  if (capacity.storageMb > 0) shares.push(share(capacity.storageMb, promised.storageMb));
  return Math.min(...shares);
}

function share(whole: number, taken: number): number {
  return whole === 0 ? 0 : (whole - taken) / whole;
}

/** Two are drawn, the better of them goes first, and the rest follows in its order. */
function bestOfTwo(
  ranked: readonly NodeSight[],
  pick: (below: number) => number,
): readonly NodeSight[] {
  if (ranked.length < 3) return ranked;
  const first = pick(ranked.length);
  const second = (first + 1 + pick(ranked.length - 1)) % ranked.length;
  const drawn = [Math.min(first, second), Math.max(first, second)];
  const rest = ranked.filter((_, at) => !drawn.includes(at));
  return [...drawn.flatMap((at) => ranked[at] ?? []), ...rest];
}
