import { readAnthropicUsage } from "./anthropic-usage.ts";
import type { Dialect } from "./call.ts";
import { objectOf, parseJson, textOf } from "./json-value.ts";
import { readOpenaiUsage } from "./openai-usage.ts";
import { malformedUsage, type UsageReport } from "./usage-report.ts";

/** What the gateway keeps of a whole (not streamed) answer. */
export type AnswerReport = {
  readonly usage: UsageReport;
  /** The provider's own id of the answer, for matching its invoices. */
  readonly upstreamId: string | undefined;
  /** Why the first choice ended, in the provider's word. */
  readonly finish: string | undefined;
};

/** Reads usage, id and finish out of a whole answer. Call it for a 2xx only: an error body is not an answer. */
export function readAnswer(dialect: Dialect, body: Buffer): AnswerReport {
  // Latin-1 never has to decode: JSON's structure, numbers and ids are ASCII in either reading.
  const root = objectOf(parseJson(body.toString("latin1")));
  if (root === undefined) {
    return { usage: malformedUsage("not a JSON object"), upstreamId: undefined, finish: undefined };
  }
  if (dialect === "anthropic") {
    return {
      usage: readAnthropicUsage(root.usage),
      upstreamId: textOf(root.id),
      finish: textOf(root.stop_reason),
    };
  }
  const choices = root.choices;
  const first = Array.isArray(choices) ? objectOf(choices[0]) : undefined;
  return {
    usage: readOpenaiUsage(root.usage),
    upstreamId: textOf(root.id),
    finish: textOf(first?.finish_reason),
  };
}
