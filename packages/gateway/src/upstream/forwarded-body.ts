import type { ParsedCall } from "../domain/call.ts";
import type { LimitDecision } from "../domain/limit.ts";
import { editTopLevel, memberBytes } from "./edit-body.ts";

/** Tells whether the gateway asks for the usage of this stream itself, and so has to keep it from the client. */
export function asksForUsage(call: ParsedCall): boolean {
  return call.stream && !call.includeUsageAsked;
}

/**
 * The body that goes upstream: the client's own bytes, but for the usage of a stream that the client did not ask for, an
 * output limit that can be paid, and the upstream's own name of the model. The very buffer that came in, when nothing of that
 * applies.
 */
export function forwardedBody(
  call: ParsedCall,
  change: { readonly limit: LimitDecision; readonly upstreamModel: string },
): Buffer {
  const isRenamed = change.upstreamModel !== call.model;
  if (!asksForUsage(call) && change.limit.kind !== "clamp" && !isRenamed) return call.body;
  const set = new Map<string, string>();
  if (isRenamed) set.set("model", JSON.stringify(change.upstreamModel));
  if (change.limit.kind === "clamp") set.set(change.limit.field, String(change.limit.value));
  if (asksForUsage(call)) set.set("stream_options", streamOptions(call));
  return editTopLevel(call.body, set);
}

/** The client's other stream options stay as they are. */
function streamOptions(call: ParsedCall): string {
  const options = call.hasStreamOptions ? memberBytes(call.body, "stream_options") : undefined;
  if (options === undefined) return includeUsage;
  return editTopLevel(options, new Map([["include_usage", "true"]])).toString("utf8");
}

const includeUsage = '{"include_usage":true}';
