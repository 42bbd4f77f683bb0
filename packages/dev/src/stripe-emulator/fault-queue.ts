/** What goes wrong with a call: before its work or after it. */
export type EmulatedFault = (typeof emulatedFaults)[number];

export const emulatedFaults = [
  "cut_before",
  "cut_after",
  "429",
  "500",
  "500_after",
  "500_kept",
] as const;

/** Faults that the next calls meet. */
export type FaultQueue = {
  /** The next `times` calls whose path begins so, after `skip` of them, meet this. */
  add(
    fault: EmulatedFault,
    of: { readonly times: number; readonly path: string; readonly method: string },
  ): void;
  /** What a call meets; undefined for nothing. */
  take(method: string, path: string): EmulatedFault | undefined;
  clear(): void;
};

const waitingMax = 1_000;

export function createFaultQueue(): FaultQueue {
  const waiting: { fault: EmulatedFault; path: string; method: string; left: number }[] = [];
  return {
    add: (fault, { times, path, method }) => {
      if (waiting.length < waitingMax) waiting.push({ fault, path, method, left: times });
    },
    take: (method, path) => {
      const found = waiting.find(
        (it) =>
          it.left > 0 && path.startsWith(it.path) && (it.method === "" || it.method === method),
      );
      if (found === undefined) return undefined;
      found.left -= 1;
      if (found.left === 0) waiting.splice(waiting.indexOf(found), 1);
      return found.fault;
    },
    clear: () => {
      waiting.length = 0;
    },
  };
}
