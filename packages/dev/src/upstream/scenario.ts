/** How the demo upstream answers one call: what it reports, when, and how it fails. `parseScenario` documents the words. */
export type Scenario = {
  /** As it was asked for; `ok` for the default. */
  readonly text: string;
  readonly fault: Fault;
  /** The HTTP status; anything but 200 is an error in the dialect's own shape. */
  readonly status: number;
  readonly retryAfterSeconds: number | undefined;
  /** With a cut or an error inside a stream: how many content chunks come before it. */
  readonly chunksBeforeFault: number | undefined;
  readonly usage: "true" | "absent" | "zero" | "absurd";
  readonly absurdTokens: number;
  readonly cachedPercent: number;
  readonly cacheWritePercent: number;
  readonly cacheWrite1hPercent: number;
  readonly reasoningTokens: number;
  readonly inputTokens: number | undefined;
  readonly outputTokens: number | undefined;
  readonly firstByteMs: number;
  readonly gapMs: number;
  readonly chunks: number | undefined;
  readonly isBurst: boolean;
};

/** The ways in which an answer goes wrong after it was accepted. */
export type Fault =
  | "none"
  | "cut-before-first-byte"
  | "cut-before-usage"
  | "cut-after-usage"
  | "error-200"
  | "truncated-json"
  | "wrong-content-type"
  | "hang";

/** The default: a complete, correct answer at once. */
export const okScenario: Scenario = Object.freeze({
  text: "ok",
  fault: "none",
  status: 200,
  retryAfterSeconds: undefined,
  chunksBeforeFault: undefined,
  usage: "true",
  absurdTokens: 0,
  cachedPercent: 0,
  cacheWritePercent: 0,
  cacheWrite1hPercent: 0,
  reasoningTokens: 0,
  inputTokens: undefined,
  outputTokens: undefined,
  firstByteMs: 0,
  gapMs: 0,
  chunks: undefined,
  isBurst: false,
});

type Word = {
  readonly means: string;
  readonly set: (value: number | undefined) => Partial<Scenario>;
};

const cut = (fault: Fault) => (value: number | undefined) => ({ fault, chunksBeforeFault: value });
const status = (code: number) => (value: number | undefined) => ({
  status: code,
  retryAfterSeconds: value,
});

/** Every word of the vocabulary: `word` or `word=number`. A number left out takes the default in the text. */
export const scenarioWords: ReadonlyMap<string, Word> = new Map<string, Word>([
  ["ok", { means: "a correct answer at once", set: () => ({}) }],
  [
    "cached",
    {
      means: "N % of the prompt was read from cache (50)",
      set: (v = 50) => ({ cachedPercent: v }),
    },
  ],
  [
    "cache-write",
    {
      means: "N % of the prompt was written to the 5-minute cache (20)",
      set: (v = 20) => ({ cacheWritePercent: v }),
    },
  ],
  [
    "cache-write-1h",
    {
      means: "N % of the prompt was written to the 1-hour cache (10; Anthropic only)",
      set: (v = 10) => ({ cacheWrite1hPercent: v }),
    },
  ],
  [
    "reasoning",
    {
      means: "N reasoning tokens before the visible ones (32)",
      set: (v = 32) => ({ reasoningTokens: v }),
    },
  ],
  [
    "input",
    { means: "the prompt counts N tokens, whatever its size", set: (v) => ({ inputTokens: v }) },
  ],
  [
    "output",
    {
      means: "N visible tokens a choice, unless the client's limit is lower",
      set: (v) => ({ outputTokens: v }),
    },
  ],
  [
    "huge",
    { means: "a very long answer of N tokens (20000)", set: (v = 20_000) => ({ outputTokens: v }) },
  ],
  ["chunks", { means: "a stream has N content chunks", set: (v) => ({ chunks: v }) }],
  [
    "slow",
    { means: "the first byte comes after N ms (1000)", set: (v = 1_000) => ({ firstByteMs: v }) },
  ],
  ["gap", { means: "N ms between two chunks of a stream (50)", set: (v = 50) => ({ gapMs: v }) }],
  ["burst", { means: "a whole stream in one write", set: () => ({ isBurst: true }) }],
  ["no-usage", { means: "usage is left out", set: () => ({ usage: "absent" }) }],
  ["zero-usage", { means: "usage is reported as explicit zeros", set: () => ({ usage: "zero" }) }],
  [
    "absurd-usage",
    {
      means: "N output tokens are reported (1000000000)",
      set: (v = 1_000_000_000) => ({ usage: "absurd", absurdTokens: v }),
    },
  ],
  [
    "cut-before-first-byte",
    { means: "the connection breaks before any byte", set: cut("cut-before-first-byte") },
  ],
  [
    "cut-before-usage",
    {
      means: "it breaks after N content chunks (all), before usage; a plain body breaks halfway",
      set: cut("cut-before-usage"),
    },
  ],
  [
    "cut-after-usage",
    {
      means:
        "it breaks after usage, before the end of the stream; a plain body one byte before its end",
      set: cut("cut-after-usage"),
    },
  ],
  [
    "error-200",
    {
      means: "status 200, then an error: in the stream after N content chunks (1), or as the body",
      set: (v = 1) => ({ fault: "error-200", chunksBeforeFault: v }),
    },
  ],
  [
    "truncated-json",
    { means: "a clean end in the middle of the JSON", set: cut("truncated-json") },
  ],
  [
    "wrong-content-type",
    { means: "a correct answer labelled text/plain", set: () => ({ fault: "wrong-content-type" }) },
  ],
  ["hang", { means: "accepts and never answers", set: () => ({ fault: "hang" }) }],
  ...[400, 401, 403, 404, 413, 429, 500, 502, 503, 529].map((code): [string, Word] => [
    String(code),
    { means: `status ${code}; N is retry-after in seconds`, set: status(code) },
  ]),
]);

const parsed = new Map<string, Scenario>();
const parsedMax = 1_000;

/**
 * Reads a scenario: words of `scenarioWords` joined by commas, e.g. `cached=80,reasoning,gap=20`.
 * Returns undefined when a word is unknown or its number is not a whole one below 10¹².
 */
export function parseScenario(text: string): Scenario | undefined {
  const known = parsed.get(text);
  if (known !== undefined) return known;
  let scenario: Scenario = { ...okScenario, text };
  for (const part of text.split(",")) {
    const [, name = "", number] = /^\s*([a-z0-9-]+)(?:=(\d{1,12}))?\s*$/.exec(part) ?? [];
    const word = scenarioWords.get(name);
    if (word === undefined) return undefined;
    scenario = { ...scenario, ...word.set(number === undefined ? undefined : Number(number)) };
  }
  if (parsed.size < parsedMax) parsed.set(text, scenario);
  return scenario;
}
