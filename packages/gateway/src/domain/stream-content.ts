import type { Dialect } from "./call.ts";
import { type JsonObject, listOf, objectOf, parseJson, textOf } from "./json-value.ts";
import { ssePayloads } from "./sse-event.ts";

/**
 * What a stream has said so far, read out of the events that went to the client. Only needed when the provider's usage is
 * missing, for a checkpoint, or to end the stream in the provider's own shape; so it is read late, in batches.
 */
export type StreamContent = {
  /** Generated text in order: what is said, thought, refused, and the arguments of tool calls. At most `contentCharsMax`. */
  readonly pieces: string[];
  /** Characters in `pieces`. */
  pieceChars: number;
  /** UTF-8 bytes of all generated text, kept in `pieces` or not. */
  textBytes: number;
  /** Why the last choice that ended did, in the provider's word. */
  finish: string | undefined;
  /** The answer's own id, model and time (seconds since 1970), as its first event gives them. */
  id: string | undefined;
  model: string | undefined;
  createdSec: number | undefined;
  /** OpenAI choices or Anthropic content blocks that were begun and have not ended. */
  readonly open: Set<number>;
};

/** Characters of generated text kept for an estimate; what is beyond is counted in bytes only. */
export const contentCharsMax = 262_144;

/** Makes the content of a stream that has said nothing. */
export function createStreamContent(): StreamContent {
  return {
    pieces: [],
    pieceChars: 0,
    textBytes: 0,
    finish: undefined,
    id: undefined,
    model: undefined,
    createdSec: undefined,
    open: new Set(),
  };
}

/** Reads a run of whole events into the content. What is no JSON says nothing. */
export function readEvents(content: StreamContent, dialect: Dialect, events: Buffer): void {
  for (const payload of ssePayloads(events)) {
    const root = objectOf(parseJson(payload));
    if (root === undefined) continue;
    if (dialect === "openai") readOpenaiEvent(content, root);
    else readAnthropicEvent(content, root);
  }
}

/** Adds generated text; ignores what is no string. */
function addText(content: StreamContent, value: unknown): void {
  if (typeof value !== "string" || value === "") return;
  content.textBytes += Buffer.byteLength(value);
  const kept = value.slice(0, contentCharsMax - content.pieceChars);
  if (kept === "") return;
  content.pieces.push(kept);
  content.pieceChars += kept.length;
}

function readOpenaiEvent(content: StreamContent, root: JsonObject): void {
  content.id ??= textOf(root.id);
  content.model ??= textOf(root.model);
  if (typeof root.created === "number") content.createdSec ??= root.created;
  for (const item of listOf(root.choices)) {
    const choice = objectOf(item);
    if (choice === undefined) continue;
    const index = indexOf(choice);
    const finish = textOf(choice.finish_reason);
    if (finish === undefined) noteOpen(content, index);
    else {
      content.finish = finish;
      content.open.delete(index);
    }
    addOpenaiMessage(content, objectOf(choice.delta));
  }
}

/** Adds the generated parts of an OpenAI message or delta. */
export function addOpenaiMessage(content: StreamContent, message: JsonObject | undefined): void {
  if (message === undefined) return;
  addText(content, message.content);
  // OpenRouter and vLLM name it `reasoning`, DeepSeek `reasoning_content`; one that sends both means the same text.
  addText(content, message.reasoning_content ?? message.reasoning);
  addText(content, message.refusal);
  addText(content, objectOf(message.audio)?.transcript);
  addFunction(content, message.function_call);
  for (const call of listOf(message.tool_calls)) addFunction(content, objectOf(call)?.function);
}

function addFunction(content: StreamContent, value: unknown): void {
  const called = objectOf(value);
  addText(content, called?.name);
  addText(content, called?.arguments);
}

function readAnthropicEvent(content: StreamContent, root: JsonObject): void {
  switch (root.type) {
    case "message_start": {
      const message = objectOf(root.message);
      content.id ??= textOf(message?.id);
      content.model ??= textOf(message?.model);
      return;
    }
    case "content_block_start":
      noteOpen(content, indexOf(root));
      addAnthropicBlock(content, objectOf(root.content_block));
      return;
    case "content_block_delta": {
      const delta = objectOf(root.delta);
      addText(content, delta?.text ?? delta?.thinking ?? delta?.partial_json);
      return;
    }
    case "content_block_stop":
      content.open.delete(indexOf(root));
      return;
    case "message_delta":
      content.finish = textOf(objectOf(root.delta)?.stop_reason) ?? content.finish;
  }
}

/** Adds the generated parts of an Anthropic content block. */
export function addAnthropicBlock(content: StreamContent, block: JsonObject | undefined): void {
  addText(content, block?.text ?? block?.thinking ?? block?.name);
  const input = objectOf(block?.input);
  // A streamed block starts with an empty input, and the deltas bring it.
  if (input !== undefined && Object.keys(input).length > 0) addText(content, JSON.stringify(input));
}

function indexOf(value: JsonObject): number {
  return typeof value.index === "number" ? value.index : 0;
}

/** Remembers what is open; no provider has more open at once than `n` may be, so more is nonsense and is not kept. */
function noteOpen(content: StreamContent, index: number): void {
  if (content.open.size < openMax) content.open.add(index);
}

const openMax = 128;
