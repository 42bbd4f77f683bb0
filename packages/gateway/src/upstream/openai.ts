import type { OutputLimitField, ParsedCall, PromptTally, ReadCall } from "../domain/call.ts";
import { type JsonObject, listOf, objectOf } from "../domain/json-value.ts";
import { createPromptTally, inlineChars } from "./prompt-tally.ts";
import {
  fault,
  isFault,
  openBody,
  readBoolean,
  readCount,
  readModel,
  readRepeated,
} from "./read-member.ts";

/**
 * Reads a request to `/v1/chat/completions`. Strict on the members a charge depends on, blind to all others. Null means
 * absent, as in OpenAI's own API.
 */
export function readOpenaiCall(body: Buffer): ReadCall {
  const open = openBody(body);
  if (isFault(open)) return open;
  const { root } = open;
  const model = readModel(open);
  if (isFault(model)) return model;
  const stream = readBoolean(root, "stream");
  if (isFault(stream)) return stream;
  const choices = readCount(root, "n", 128);
  if (isFault(choices)) return choices;
  const older = readCount(root, "max_tokens");
  if (isFault(older)) return older;
  const newer = readCount(root, "max_completion_tokens");
  if (isFault(newer)) return newer;
  if (older !== undefined && newer !== undefined) {
    return fault("max_tokens", "must not be set together with max_completion_tokens");
  }
  const options = root.stream_options ?? undefined;
  const streamOptions = objectOf(options);
  if (options !== undefined && streamOptions === undefined) {
    return fault("stream_options", "must be an object");
  }
  const includeUsageAsked = readBoolean(
    streamOptions ?? {},
    "include_usage",
    "stream_options.include_usage",
  );
  if (isFault(includeUsageAsked)) return includeUsageAsked;
  const repeated = readRepeated(open, chargedMembers);
  if (repeated !== undefined) return repeated;

  let outputLimitField: OutputLimitField | undefined;
  if (newer !== undefined) outputLimitField = "max_completion_tokens";
  else if (older !== undefined) outputLimitField = "max_tokens";
  const call: ParsedCall = {
    dialect: "openai",
    body,
    model,
    stream,
    includeUsageAsked,
    hasStreamOptions: streamOptions !== undefined,
    outputLimit: newer ?? older,
    outputLimitField,
    outputFloor: 1,
    choices: choices ?? 1,
    prompt: tallyPrompt(root),
  };
  return { kind: "call", call };
}

function tallyPrompt(root: JsonObject): PromptTally {
  const tally = createPromptTally();
  for (const message of listOf(root.messages)) {
    const fields = objectOf(message);
    if (fields === undefined) continue;
    for (const part of listOf(fields.content)) tallyPart(tally, objectOf(part));
    // Earlier audio is named by id, and only the provider knows its length.
    if (objectOf(fields.audio) !== undefined) tally.documents++;
  }
  tally.tools = listOf(root.tools).length + listOf(root.functions).length;
  if (objectOf(root.web_search_options) !== undefined) tally.providerTools = 1;
  return tally;
}

function tallyPart(tally: PromptTally, part: JsonObject | undefined): void {
  switch (part?.type) {
    case "image_url": {
      tally.images++;
      const image = objectOf(part.image_url);
      tally.mediaBytes += inlineChars(image === undefined ? part.image_url : image.url);
      return;
    }
    case "input_audio": {
      const data = objectOf(part.input_audio)?.data;
      const chars = typeof data === "string" ? data.length : 0;
      tally.audioChars += chars;
      tally.mediaBytes += chars;
      return;
    }
    case "file":
      tally.documents++;
      tally.mediaBytes += inlineChars(objectOf(part.file)?.file_data);
  }
}

const chargedMembers = [
  "model",
  "n",
  "max_tokens",
  "max_completion_tokens",
  "stream",
  "stream_options",
] as const;
