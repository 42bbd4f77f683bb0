import type { PromptTally } from "../domain/call.ts";

/** Makes the tally of a prompt that is nothing but text. */
export function createPromptTally(): PromptTally {
  return {
    images: 0,
    audioChars: 0,
    documents: 0,
    tools: 0,
    builtinTools: 0,
    providerTools: 0,
    mediaBytes: 0,
  };
}

/** Characters of a data URL, which are media and no text; 0 for a link, which the provider follows. */
export function inlineChars(url: unknown): number {
  return typeof url === "string" && url.startsWith("data:") ? url.length : 0;
}
