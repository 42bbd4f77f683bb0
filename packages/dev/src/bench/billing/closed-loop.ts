import type { BilledCaller } from "@farebox/gateway/interceptor/billed-call";
import type { BenchMeter } from "./bench-meter.ts";
import type { SimulatedCalls } from "./simulated-calls.ts";

/** How hard to press. */
export type ClosedLoop = {
  /** Calls in flight at any moment; each begins when the one before it is in the journal. */
  readonly fibres: number;
  readonly durationMs: number;
  /** Taken in turns. */
  readonly callers: readonly BilledCaller[];
};

/** What came of it. */
export type ClosedLoopResult = {
  readonly calls: number;
  /** From the first call to Billing's acknowledgement of the last, after its COMMIT. */
  readonly settledPerSecond: number;
  /** Asks for leases a call: the less, the better leases are reused. */
  readonly asksPerCall: number;
};

/**
 * Makes calls as fast as they are journaled, then waits until Billing has acknowledged every one: a settlement that lags
 * behind lowers the rate, however long it takes to catch up.
 */
export async function runClosedLoop(
  deps: { readonly calls: SimulatedCalls; readonly meter: BenchMeter },
  loop: ClosedLoop,
): Promise<ClosedLoopResult> {
  const { calls, meter } = deps;
  const begunMs = performance.now();
  const asksBefore = meter.asks;
  const endMs = begunMs + loop.durationMs;
  let made = 0;
  const run = async () => {
    while (performance.now() < endMs) {
      const caller = loop.callers[made % loop.callers.length];
      if (caller === undefined) return;
      made += 1;
      await calls.make(caller);
    }
  };
  await Promise.all(Array.from({ length: loop.fibres }, run));
  const settledMs = await meter.settled();
  return {
    calls: made,
    settledPerSecond: (made * 1_000) / (settledMs - begunMs),
    asksPerCall: (meter.asks - asksBefore) / made,
  };
}
