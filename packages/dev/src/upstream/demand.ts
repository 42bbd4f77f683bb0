import type { IncomingHttpHeaders } from "node:http";
import { parseScenario, type Scenario } from "./scenario.ts";

/** What one call asks of the demo upstream, dialect apart. */
export type Demand = {
  /** As requested, which is what the answer reports. */
  readonly model: string;
  readonly isStream: boolean;
  /** OpenAI only: whether a stream ends with a usage chunk. */
  readonly includesUsage: boolean;
  readonly choices: number;
  /** The client's limit on completion tokens a choice, reasoning included. */
  readonly outputTokensMax: number | undefined;
  readonly stops: readonly string[];
  /** Visible tokens asked for by the header `x-demo-output-tokens`. */
  readonly outputTokens: number | undefined;
  readonly bodyBytes: number;
  readonly scenario: Scenario;
};

/** Why a call is refused as malformed, in words for its sender. */
export type DemandFault = { readonly fault: string };

const choicesMax = 128;

/**
 * Reads a request of either dialect. The scenario is the first of: the header `x-demo-scenario`, `metadata.demo_scenario`, and
 * `standing`, the one set for everybody. All pass a gateway, which routes and prices by the model's name and would not know one
 * with a scenario in it.
 */
export function readDemand(
  body: Buffer,
  headers: IncomingHttpHeaders,
  standing: () => Scenario,
): Demand | DemandFault {
  const fields = parseObject(body);
  if (fields === undefined) return { fault: "We could not parse the JSON body of your request." };
  const { model } = fields;
  if (typeof model !== "string" || model === "")
    return { fault: "you must provide a model parameter" };
  if (!Array.isArray(fields.messages) || fields.messages.length === 0) {
    return { fault: "messages: at least one message is required" };
  }
  const asked = headers["x-demo-scenario"] ?? field(fields.metadata, "demo_scenario");
  const scenario = asked === undefined ? standing() : parseScenario(String(asked));
  if (scenario === undefined) return { fault: `unknown demo scenario: ${String(asked)}` };
  const choices = count(fields.n) ?? 1;
  if (choices < 1 || choices > choicesMax)
    return { fault: `n must be between 1 and ${choicesMax}` };
  return {
    model,
    isStream: fields.stream === true,
    includesUsage: field(fields.stream_options, "include_usage") === true,
    choices,
    outputTokensMax: count(fields.max_completion_tokens) ?? count(fields.max_tokens),
    stops: readStops(fields.stop ?? fields.stop_sequences),
    outputTokens: count(Number(headers["x-demo-output-tokens"] ?? Number.NaN)),
    bodyBytes: body.length,
    scenario,
  };
}

function parseObject(body: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString());
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function field(value: unknown, name: string): unknown {
  return isRecord(value) ? value[name] : undefined;
}

function count(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function readStops(stop: unknown): readonly string[] {
  const stops = typeof stop === "string" ? [stop] : Array.isArray(stop) ? stop : [];
  return stops.filter((text) => typeof text === "string" && text !== "");
}
