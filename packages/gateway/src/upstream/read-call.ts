import type { Dialect, ReadCall } from "../domain/call.ts";
import { readAnthropicCall } from "./anthropic.ts";
import { readOpenaiCall } from "./openai.ts";

/** Reads a request body in its dialect: what the gateway must know to price it, or which field is wrong. */
export function readCall(dialect: Dialect, body: Buffer): ReadCall {
  return dialect === "openai" ? readOpenaiCall(body) : readAnthropicCall(body);
}
