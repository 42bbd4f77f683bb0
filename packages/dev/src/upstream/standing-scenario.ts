import { okScenario, parseScenario, type Scenario, scenarioWords } from "./scenario.ts";

/** The scenario of every call that names none itself. */
export type StandingScenario = {
  /** The scenario of the next call; uses one up when it was set for a number of calls. */
  take(): Scenario;
  /** Takes a request `{"scenario": "429=2", "times": 3}`; without `times`, until cleared. Returns what is wrong. */
  set(body: Buffer): { readonly error: string } | undefined;
  clear(): void;
  /** What is set, and every word there is. */
  describe(): object;
};

/** A standing scenario that begins as `ok`. */
export function standingScenario(): StandingScenario {
  let scenario = okScenario;
  let timesLeft = Number.POSITIVE_INFINITY;
  return {
    take: () => {
      if (timesLeft <= 0) return okScenario;
      timesLeft -= 1;
      return scenario;
    },
    set: (body) => {
      const asked = readRequest(body);
      const parsed = asked === undefined ? undefined : parseScenario(asked.scenario);
      if (asked === undefined || parsed === undefined) {
        return { error: `expected {"scenario": "word[=number],…", "times"?: number}` };
      }
      scenario = parsed;
      timesLeft = asked.times ?? Number.POSITIVE_INFINITY;
      return undefined;
    },
    clear: () => {
      scenario = okScenario;
    },
    describe: () => ({
      scenario: timesLeft > 0 ? scenario.text : okScenario.text,
      timesLeft: Number.isFinite(timesLeft) ? timesLeft : null,
      words: Object.fromEntries([...scenarioWords].map(([word, { means }]) => [word, means])),
    }),
  };
}

function readRequest(body: Buffer): { scenario: string; times: number | undefined } | undefined {
  try {
    const { scenario, times } = JSON.parse(body.toString());
    if (typeof scenario !== "string") return undefined;
    if (times !== undefined && !(Number.isSafeInteger(times) && times > 0)) return undefined;
    return { scenario, times };
  } catch {
    return undefined;
  }
}
