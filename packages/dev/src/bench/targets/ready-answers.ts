import type { TalliedUsage } from "../conserve/usage-tally.ts";

/** An answer of which only the id is missing. */
export type ReadyAnswer = {
  readonly plainHeaders: readonly string[];
  readonly plainStart: string;
  readonly plainRest: string;
  /** What follows the id in each event of a stream of 50 content chunks. */
  readonly events: readonly string[];
  /** The same with the usage at the end, as a client gets it that asks for it. */
  readonly eventsWithUsage: readonly string[];
};

/** The model that the benchmark calls. */
export const benchModel = "bench-model";

const idLength = "chatcmpl-bench0000000000".length;
const contentChunks = 50;
const text = " one day the old man went down to the sea and saw that it was good".repeat(11);

/** Writes answers of about one kilobyte in OpenAI's dialect, one for each usage. */
export function readyAnswers(usages: readonly TalliedUsage[]): readonly ReadyAnswer[] {
  return usages.map(readyAnswer);
}

function readyAnswer(usage: TalliedUsage): ReadyAnswer {
  const plainStart = '{"id":"';
  const message = { role: "assistant", content: text.slice(0, 620), refusal: null };
  const choices = [{ index: 0, message, logprobs: null, finish_reason: "stop" }];
  const plainRest = rest({ object: "chat.completion", choices, usage: usageOf(usage) });
  const chunk = (delta: object, finish: string | null) =>
    event({ choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }] });
  const events = [
    chunk({ role: "assistant", content: "" }, null),
    ...Array.from({ length: contentChunks }, (_, at) =>
      chunk({ content: text.slice(at * 12, at * 12 + 12) }, null),
    ),
    chunk({}, "stop"),
  ];
  return {
    plainHeaders: [
      ...["content-type", "application/json", "x-request-id", "req_bench", "content-length"],
      String(plainStart.length + idLength + plainRest.length),
    ],
    plainStart,
    plainRest,
    events,
    eventsWithUsage: [...events, event({ choices: [], usage: usageOf(usage) })],
  };
}

function event(fields: object): string {
  return `${rest({ object: "chat.completion.chunk", ...fields })}\n\n`;
}

/** What comes after the id in an object that begins with it. */
function rest(fields: object): string {
  const common = { created: 1_790_000_000, model: benchModel, service_tier: "default" };
  return `",${JSON.stringify({ ...common, ...fields }).slice(1)}`;
}

function usageOf(usage: TalliedUsage): object {
  const prompt = usage.inputTokens + usage.cacheReadTokens;
  const completion = usage.outputTokens + usage.reasoningTokens;
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: usage.cacheReadTokens, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: usage.reasoningTokens, audio_tokens: 0 },
  };
}
