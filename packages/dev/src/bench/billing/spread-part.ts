import type { Part } from "../part.ts";
import type { SimulatedCalls } from "./simulated-calls.ts";
import { type BillingBench, type Caller, withBillingBench } from "./with-billing-bench.ts";

/**
 * The two shapes of load that break billing systems, with equally many calls: every call from another account, which has no
 * lease yet, against every call from one account. Their ratio says how far the batching of grants makes up for the lease.
 */
export const spreadPart: Part = async ({ installation, delivered, options, log }) => {
  const count = options.singleCallAccounts;
  const { measured, faults } = await withBillingBench(installation, delivered, async (bench) => {
    log(`making ${count} accounts`);
    const strangers = await bench.fund({ prefix: "single", count, withKeys: false });
    const [hot] = await bench.fund({ prefix: "single-hot", count: 1, withKeys: false });
    if (hot === undefined) throw new Error("no account was made");
    const one: readonly Caller[] = Array.from({ length: count }, () => hot);
    await settleAll(bench, one, options.fibres);
    return {
      hot: await settleAll(bench, one, options.fibres),
      spread: await settleAll(bench, strangers, options.fibres),
    };
  });
  const { hot, spread } = measured;
  return {
    rows: [
      { name: "billing.single_calls_per_s.spread", value: spread, unit: "1/s" },
      { name: "billing.single_calls_per_s.hot", value: hot, unit: "1/s" },
      { name: "billing.ratio.single_spread_to_hot", value: spread / hot, unit: "ratio" },
    ],
    faults,
  };
};

/** Makes one call for each entry and returns calls a second until the last is acknowledged. */
async function settleAll(
  bench: BillingBench,
  callers: readonly Caller[],
  fibres: number,
): Promise<number> {
  const begunMs = performance.now();
  let next = 0;
  const run = async (calls: SimulatedCalls) => {
    for (let caller = callers[next++]; caller !== undefined; caller = callers[next++]) {
      await calls.make(caller);
    }
  };
  await Promise.all(Array.from({ length: fibres }, () => run(bench.calls)));
  const settledMs = await bench.meter.settled();
  return (callers.length * 1_000) / (settledMs - begunMs);
}
