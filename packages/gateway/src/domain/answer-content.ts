import type { Dialect } from "./call.ts";
import type { Delivered } from "./estimate.ts";
import { type JsonObject, listOf, objectOf } from "./json-value.ts";
import { addAnthropicBlock, addOpenaiMessage, createStreamContent } from "./stream-content.ts";

/** The generated text of an answer, or of what is left of one, for an estimate when its usage is missing. */
export function answerContent(dialect: Dialect, root: JsonObject): Delivered {
  const content = createStreamContent();
  if (dialect === "openai") {
    for (const choice of listOf(root.choices)) {
      addOpenaiMessage(content, objectOf(objectOf(choice)?.message));
    }
  } else {
    for (const block of listOf(root.content)) addAnthropicBlock(content, objectOf(block));
  }
  return content;
}
