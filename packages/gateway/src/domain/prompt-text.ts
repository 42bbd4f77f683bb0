import type { ParsedCall } from "./call.ts";
import { isJsonObject, type JsonObject, objectOf, parseJson, textOf } from "./json-value.ts";

/** The text of a prompt, for counting tokens. */
export type PromptText = {
  /** Everything that is text, in order: messages, system prompt, tool definitions, answer schema. */
  readonly pieces: readonly string[];
  /** Turns of the conversation, each of which the provider frames with a few tokens. */
  readonly messages: number;
};

/**
 * Collects the text of a call's prompt. Parses the body again, so it is for the calls that need it only: those whose byte
 * bound does not fit, and those whose usage is missing. Inline media are left out.
 */
export function promptText(call: ParsedCall): PromptText {
  const root = objectOf(parseJson(call.body.toString("utf8"))) ?? {};
  const pieces: string[] = [];
  collect(root.system, pieces, 0);
  const messages = Array.isArray(root.messages) ? root.messages : [];
  for (const message of messages) {
    const fields = objectOf(message);
    if (fields === undefined) continue;
    // Role and type names are part of the frame that is counted per message.
    for (const key of Object.keys(fields)) if (key !== "role") collect(fields[key], pieces, 0);
  }
  for (const name of definitionMembers) {
    if (isJsonObject(root[name]) || Array.isArray(root[name]))
      pieces.push(JSON.stringify(root[name]));
  }
  return { pieces, messages: messages.length };
}

/** Walks a message's content; the depth is bounded, and no provider nests it deeper than a tool's result. */
function collect(value: unknown, pieces: string[], depth: number): void {
  if (typeof value === "string") pieces.push(value);
  else if (depth >= depthMax) return;
  else if (Array.isArray(value)) for (const item of value) collect(item, pieces, depth + 1);
  else if (isJsonObject(value)) collectMembers(value, pieces, depth);
}

function collectMembers(value: JsonObject, pieces: string[], depth: number): void {
  const type = textOf(value.type);
  if (
    type !== undefined &&
    mediaTypes.has(type) &&
    textOf(objectOf(value.source)?.type) !== "text"
  ) {
    return;
  }
  for (const key of Object.keys(value)) {
    if (!frameMembers.has(key)) collect(value[key], pieces, depth + 1);
  }
}

const depthMax = 12;
const definitionMembers = ["tools", "functions", "response_format", "output_config"] as const;
const frameMembers = new Set([
  "type",
  "role",
  "id",
  "tool_use_id",
  "cache_control",
  "media_type",
  "signature",
]);
const mediaTypes = new Set(["image", "image_url", "input_audio", "file", "document"]);
