import { type Child, type ChildWatcher, startChild } from "../child.ts";
import type { LaidPlan } from "./stack-plan.ts";

/** The processes of a stack, by name. Disposing stops them: gateways first, so that they can settle with billing, then Payment and Device, which call it. */
export type StackProcesses = AsyncDisposable & {
  readonly children: ReadonlyMap<string, Child>;
  /** Starts a process, or starts one again that was stopped for good, and returns when it is ready. */
  start(name: string): Promise<void>;
  /** Name → pid of those that are up. */
  pids(): Readonly<Record<string, number>>;
};

/** Makes the set, with nothing started yet. */
export function stackProcesses(plan: LaidPlan, watcher: ChildWatcher): StackProcesses {
  const children = new Map<string, Child>();
  const stop = (names: readonly string[]) =>
    Promise.all(names.map((name) => children.get(name)?.stop()));
  return {
    children,
    start: async (name) => {
      children.set(name, await startChild(plan.specOf(name), watcher));
    },
    pids: () => Object.fromEntries([...children].flatMap(pidEntry)),
    [Symbol.asyncDispose]: async () => {
      await stop(plan.gateways);
      await stop(["payment", "device"]);
      await stop(plan.billings);
      await stop(["upstream", "stripeEmulator"]);
    },
  };
}

function pidEntry([name, child]: [string, Child]): [string, number][] {
  const pid = child.pid();
  return pid === undefined ? [] : [[name, pid]];
}
