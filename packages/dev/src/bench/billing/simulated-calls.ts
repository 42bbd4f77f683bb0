import type { AttemptOutcome, BilledCaller } from "@farebox/gateway/interceptor/billed-call";
import type { CompiledPrice } from "@farebox/pricing/compiled-price";
import { noUsage } from "@farebox/pricing/usage";
import { worstCase } from "@farebox/pricing/worst-case";
import { benchProvider } from "../conserve/bench-price.ts";
import type { UsageTally } from "../conserve/usage-tally.ts";
import { benchUsages } from "../load/bench-usages.ts";
import { benchModel } from "../targets/ready-answers.ts";
import type { BenchMeter } from "./bench-meter.ts";

/** Paid calls whose upstream answers at once, so that nothing but billing takes time. */
export type SimulatedCalls = {
  /** Makes one call: reserves, "is answered", and charges. Resolves once the outcome is durable in the journal. */
  make(caller: BilledCaller): Promise<void>;
  /** The same, noting what each half took. */
  makeTimed(caller: BilledCaller, times: CallTimes): Promise<void>;
  /** Adds what was answered since the last time to a tally. */
  tallyInto(delivered: UsageTally): void;
};

/** Durations of calls in the order they ended, in milliseconds; what is beyond the arrays' length is not noted. */
export type CallTimes = {
  count: number;
  /** Of `beforeRequest`. */
  readonly admission: Float64Array;
  /** Of `beforeRequest` and `afterRequest` together. */
  readonly added: Float64Array;
};

// A body of about one kilobyte and 300 tokens of answer, bounded as the gateway bounds them.
const inputTokensMax = 962;
const outputTokensMax = 300;
const outputTokensLeast = 16;

/** Prepares calls of the benchmark's model at this price. */
export function createSimulatedCalls(
  meter: BenchMeter["meter"],
  price: { readonly compiled: CompiledPrice; readonly snapshotId: Buffer },
): SimulatedCalls {
  const bound = { inputTokens: inputTokensMax, choices: 1, requests: 1 };
  const worstCaseNanos = worstCase(price.compiled, { ...bound, outputTokens: outputTokensMax });
  const minimumNanos = worstCase(price.compiled, { ...bound, outputTokens: outputTokensLeast });
  const usages = benchUsages.map((usage) => ({ ...noUsage, ...usage, requests: 1 }));
  const answered = usages.map(() => 0);
  let calls = 0;
  const reserve = (caller: BilledCaller) =>
    meter.beforeRequest(caller, {
      service: "llm",
      requestId: `req_bench${calls++}`,
      claimSha256: undefined,
      attempt: 1,
      provider: benchProvider,
      model: benchModel,
      price: price.compiled,
      snapshotId: price.snapshotId,
      worstCaseNanos,
      minimumNanos,
      worstCaseUnits: inputTokensMax + outputTokensMax,
      startTimeMs: Date.now(),
      tags: [],
    });
  const answer = (): AttemptOutcome => {
    const turn = calls % usages.length;
    answered[turn] = (answered[turn] ?? 0) + 1;
    return {
      state: "succeeded",
      httpStatus: 200,
      latencyMs: 1,
      timeToFirstTokenMs: undefined,
      upstreamId: `chatcmpl-bench${calls}`,
      errorReason: undefined,
      usage: usages[turn] ?? noUsage,
      usageSource: "provider",
      providerCostNanos: undefined,
      isAbsurd: false,
    };
  };
  return {
    make: async (caller) => {
      const held = reserve(caller);
      const hold = held instanceof Promise ? await held : held;
      await meter.afterRequest(hold, answer());
    },
    makeTimed: async (caller, times) => {
      const begun = performance.now();
      const held = reserve(caller);
      const hold = held instanceof Promise ? await held : held;
      const admission = performance.now() - begun;
      await meter.afterRequest(hold, answer());
      times.admission[times.count] = admission;
      times.added[times.count] = performance.now() - begun;
      times.count += 1;
    },
    tallyInto: (delivered) => {
      benchUsages.forEach((usage, turn) => {
        delivered.add({ usage, calls: answered[turn] ?? 0 });
      });
      answered.fill(0);
    },
  };
}
