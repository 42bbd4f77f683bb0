import { setTimeout as sleep } from "node:timers/promises";
import type { BilledCaller } from "@farebox/gateway/interceptor/billed-call";
import type { CallTimes, SimulatedCalls } from "./simulated-calls.ts";

/** Calls that begin when their time has come, whether or not earlier ones have ended. */
export type OpenLoop = {
  readonly perSecond: number;
  readonly durationMs: number;
  /** Taken in turns. */
  readonly callers: readonly BilledCaller[];
};

/** Makes the calls and returns their times, each sorted ascending by itself. */
export async function runOpenLoop(calls: SimulatedCalls, loop: OpenLoop): Promise<CallTimes> {
  const total = Math.round((loop.perSecond * loop.durationMs) / 1_000);
  const times: CallTimes = {
    count: 0,
    admission: new Float64Array(total),
    added: new Float64Array(total),
  };
  const begunMs = performance.now();
  const inFlight: Promise<void>[] = [];
  for (let made = 0; made < total; ) {
    const due = Math.min(total, ((performance.now() - begunMs) * loop.perSecond) / 1_000);
    for (; made < due; made++) {
      const caller = loop.callers[made % loop.callers.length];
      if (caller !== undefined) inFlight.push(calls.makeTimed(caller, times));
    }
    // The finest timer there is: five calls a turn at 5,000 a second.
    await sleep(1);
  }
  await Promise.all(inFlight);
  times.admission.sort();
  times.added.sort();
  return times;
}
