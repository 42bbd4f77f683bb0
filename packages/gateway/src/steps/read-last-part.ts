import { readAnthropicUsage } from "../domain/anthropic-usage.ts";
import type { Dialect } from "../domain/call.ts";
import { objectOf, parseJson } from "../domain/json-value.ts";
import { readOpenaiUsage } from "../domain/openai-usage.ts";
import { missingUsage, type UsageReport } from "../domain/usage-report.ts";

/**
 * Reads the usage out of the end of a JSON answer whose beginning was not kept. Both providers write `usage` as one of the
 * last members of the root, so that the text from its name to the end is the rest of an object.
 */
export function readLastPart(dialect: Dialect, last: Buffer): UsageReport {
  const at = last.lastIndexOf('"usage"');
  if (at === -1) return missingUsage;
  const root = objectOf(parseJson(`{${last.toString("latin1", at)}`));
  if (root === undefined) return missingUsage;
  return dialect === "openai" ? readOpenaiUsage(root.usage) : readAnthropicUsage(root.usage);
}
