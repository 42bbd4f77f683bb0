import type { Usage } from "@farebox/pricing/usage";
import type { Demand } from "./demand.ts";
import { tokensBeforeStop } from "./demo-text.ts";

/** What the demo upstream counts of a call, in the disjoint buckets of the price engine. */
export type DemoUsage = Pick<
  Usage,
  | "inputTokens"
  | "cacheReadTokens"
  | "cacheWriteTokens"
  | "cacheWrite1hTokens"
  | "outputTokens"
  | "reasoningTokens"
>;

/** The whole content of an answer: how long each choice is, why it ended, and what is reported for all of them. */
export type DemoAnswer = {
  readonly visibleTokens: number;
  readonly finish: "stop" | "length" | "stop-sequence";
  /** As reported; undefined when the scenario leaves usage out. */
  readonly reported: DemoUsage | undefined;
  /** As consumed; what is reported unless the scenario lies. */
  readonly consumed: DemoUsage;
};

/** Nothing consumed. */
export const noDemoUsage: DemoUsage = Object.freeze({
  inputTokens: 0,
  cacheReadTokens: 0,
  cacheWriteTokens: 0,
  cacheWrite1hTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
});

const outputTokensUsual = 24;
const bytesPerToken = 4;

/**
 * Decides an answer from the demand alone: the same request always costs the same. The prompt is its bytes divided by
 * four, rounded up; the completion is what was asked for, within the client's limit.
 */
export function demoAnswer(demand: Demand): DemoAnswer {
  const { scenario, outputTokensMax = Number.POSITIVE_INFINITY } = demand;
  const reasoning = Math.min(scenario.reasoningTokens, outputTokensMax);
  const wanted = scenario.outputTokens ?? demand.outputTokens ?? outputTokensUsual;
  const visible = Math.min(wanted, outputTokensMax - reasoning);
  const stopped = demand.stops.length === 0 ? undefined : tokensBeforeStop(demand.stops, visible);
  const visibleTokens = stopped ?? visible;
  const consumed: DemoUsage = {
    ...promptUsage(demand),
    outputTokens: visibleTokens * demand.choices,
    reasoningTokens: reasoning * demand.choices,
  };
  return {
    visibleTokens,
    finish: stopped !== undefined ? "stop-sequence" : visible < wanted ? "length" : "stop",
    consumed,
    reported: reported(consumed, demand),
  };
}

function promptUsage(demand: Demand): Omit<DemoUsage, "outputTokens" | "reasoningTokens"> {
  const { scenario } = demand;
  const prompt = scenario.inputTokens ?? Math.ceil(demand.bodyBytes / bytesPerToken);
  let left = prompt;
  const take = (percent: number) => {
    const taken = Math.min(left, Math.floor((prompt * percent) / 100));
    left -= taken;
    return taken;
  };
  const cacheReadTokens = take(scenario.cachedPercent);
  const cacheWriteTokens = take(scenario.cacheWritePercent);
  const cacheWrite1hTokens = take(scenario.cacheWrite1hPercent);
  return { inputTokens: left, cacheReadTokens, cacheWriteTokens, cacheWrite1hTokens };
}

function reported(consumed: DemoUsage, { scenario }: Demand): DemoUsage | undefined {
  switch (scenario.usage) {
    case "true":
      return consumed;
    case "absent":
      return undefined;
    case "zero":
      return noDemoUsage;
    case "absurd":
      return { ...consumed, outputTokens: scenario.absurdTokens };
  }
}
