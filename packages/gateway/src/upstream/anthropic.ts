import type { ParsedCall, PromptTally, ReadCall } from "../domain/call.ts";
import { type JsonObject, listOf, objectOf, textOf } from "../domain/json-value.ts";
import { createPromptTally } from "./prompt-tally.ts";
import {
  isFault,
  openBody,
  readBoolean,
  readCount,
  readModel,
  readRepeated,
} from "./read-member.ts";

/**
 * Reads a request to `/v1/messages`. Strict on the members a charge depends on, blind to all others; a missing
 * `max_tokens` is left for Anthropic to refuse.
 */
export function readAnthropicCall(body: Buffer): ReadCall {
  const open = openBody(body);
  if (isFault(open)) return open;
  const { root } = open;
  const model = readModel(open);
  if (isFault(model)) return model;
  const stream = readBoolean(root, "stream");
  if (isFault(stream)) return stream;
  const outputLimit = readCount(root, "max_tokens");
  if (isFault(outputLimit)) return outputLimit;
  const repeated = readRepeated(open, chargedMembers);
  if (repeated !== undefined) return repeated;
  const call: ParsedCall = {
    dialect: "anthropic",
    body,
    model,
    stream,
    includeUsageAsked: true,
    hasStreamOptions: false,
    outputLimit,
    outputLimitField: outputLimit === undefined ? undefined : "max_tokens",
    outputFloor: readFloor(root, outputLimit),
    choices: 1,
    prompt: tallyPrompt(root),
  };
  return { kind: "call", call };
}

/**
 * Anthropic refuses a limit that does not exceed the thinking budget. A body whose own limit does not exceed it has thinking
 * between tool calls, where the rule does not hold.
 */
function readFloor(root: JsonObject, outputLimit: number | undefined): number {
  const budget = objectOf(root.thinking)?.budget_tokens;
  if (typeof budget !== "number" || outputLimit === undefined || budget >= outputLimit) return 1;
  return budget + 1;
}

function tallyPrompt(root: JsonObject): PromptTally {
  const tally = createPromptTally();
  for (const message of listOf(root.messages)) tallyBlocks(tally, objectOf(message)?.content, 0);
  for (const tool of listOf(root.tools)) {
    const type = textOf(objectOf(tool)?.type);
    if (type === undefined || type === "custom") tally.tools++;
    else if (providerTools.some((name) => type.startsWith(name))) tally.providerTools++;
    else tally.builtinTools++;
  }
  tally.providerTools += listOf(root.mcp_servers).length;
  return tally;
}

/** Blocks nest in tool results and in documents made of content, no deeper. */
function tallyBlocks(tally: PromptTally, blocks: unknown, depth: number): void {
  if (depth > 3) return;
  for (const item of listOf(blocks)) {
    const block = objectOf(item);
    switch (block?.type) {
      case "image":
        tally.images++;
        tally.mediaBytes += base64Chars(block);
        break;
      case "document":
        tallyDocument(tally, block, depth);
        break;
      case "container_upload":
        tally.documents++;
        break;
      case "tool_result":
        tallyBlocks(tally, block.content, depth + 1);
    }
  }
}

function tallyDocument(tally: PromptTally, block: JsonObject, depth: number): void {
  const source = objectOf(block.source);
  if (source?.type === "text") return;
  if (source?.type === "content") {
    tallyBlocks(tally, source.content, depth + 1);
    return;
  }
  tally.documents++;
  tally.mediaBytes += base64Chars(block);
}

function base64Chars(block: JsonObject): number {
  const source = objectOf(block.source);
  return source?.type === "base64" && typeof source.data === "string" ? source.data.length : 0;
}

const providerTools = ["web_search", "web_fetch", "code_execution", "tool_search", "mcp_toolset"];
const chargedMembers = ["model", "max_tokens", "stream"] as const;
