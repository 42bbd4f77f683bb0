/** What a device reserves, or a node has. */
export type Resources = {
  /** Thousandths of a core. */
  readonly cpuMillis: number;
  /** Units of 2²⁰ bytes. */
  readonly memoryMb: number;
  readonly storageMb: number;
};

export const noResources: Resources = { cpuMillis: 0, memoryMb: 0, storageMb: 0 };

export function addResources(a: Resources, b: Resources): Resources {
  return {
    cpuMillis: a.cpuMillis + b.cpuMillis,
    memoryMb: a.memoryMb + b.memoryMb,
    storageMb: a.storageMb + b.storageMb,
  };
}

export function subtractResources(a: Resources, b: Resources): Resources {
  return {
    cpuMillis: a.cpuMillis - b.cpuMillis,
    memoryMb: a.memoryMb - b.memoryMb,
    storageMb: a.storageMb - b.storageMb,
  };
}

/** The larger of each. */
export function largerResources(a: Resources, b: Resources): Resources {
  return {
    cpuMillis: Math.max(a.cpuMillis, b.cpuMillis),
    memoryMb: Math.max(a.memoryMb, b.memoryMb),
    storageMb: Math.max(a.storageMb, b.storageMb),
  };
}

export function fitsInto(wish: Resources, room: Resources): boolean {
  return (
    wish.cpuMillis <= room.cpuMillis &&
    wish.memoryMb <= room.memoryMb &&
    wish.storageMb <= room.storageMb
  );
}

/** What a node has promised, now or for later. */
export type Commitment = {
  readonly startMs: number;
  /** Infinity while its end is not known. */
  readonly endMs: number;
  readonly resources: Resources;
};

/** The most that is promised at any one moment between two. An end does not overlap with a start at the same moment. */
export function peakPromised(
  commitments: readonly Commitment[],
  span: { readonly startMs: number; readonly endMs: number },
): Resources {
  const meeting = commitments.filter((it) => it.startMs < span.endMs && it.endMs > span.startMs);
  // What is promised only ever grows where one starts: it is enough to look there. All but bookings have started.
  const moments = new Set(meeting.map((it) => Math.max(it.startMs, span.startMs)));
  let peak = noResources;
  for (const moment of moments) {
    const then = meeting
      .filter((it) => it.startMs <= moment && it.endMs > moment)
      .reduce((sum, it) => addResources(sum, it.resources), noResources);
    peak = largerResources(peak, then);
  }
  return peak;
}
