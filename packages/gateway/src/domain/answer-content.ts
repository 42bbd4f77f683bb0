import type { Dialect } from "./call.ts";
import type { Delivered } from "./estimate.ts";
import { listOf, objectOf, parseJson } from "./json-value.ts";
import { addAnthropicBlock, addOpenaiMessage, createStreamContent } from "./stream-content.ts";

/** The generated text of a whole answer, for an estimate when its usage is missing. An answer that is no JSON has none. */
export function answerContent(dialect: Dialect, body: Buffer): Delivered {
  const content = createStreamContent();
  const root = objectOf(parseJson(body.toString("utf8")));
  if (dialect === "openai") {
    for (const choice of listOf(root?.choices)) {
      addOpenaiMessage(content, objectOf(objectOf(choice)?.message));
    }
  } else {
    for (const block of listOf(root?.content)) addAnthropicBlock(content, objectOf(block));
  }
  return content;
}
