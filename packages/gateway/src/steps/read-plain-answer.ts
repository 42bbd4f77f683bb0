import type { Dialect } from "../domain/call.ts";
import { readAnswer } from "../domain/usage.ts";
import type { UsageReport } from "../domain/usage-report.ts";
import { readLastPart } from "./read-last-part.ts";

/** What is kept of a plain answer. */
export type PlainReading = {
  readonly usage: UsageReport;
  readonly upstreamId: string | undefined;
  /** The body begins and ends as an answer does: it cannot be an error, and was not looked at any closer. */
  readonly isOrdinary: boolean;
};

/**
 * Reads id and usage out of a plain answer. Nearly every one begins with its id and states its usage near the end, so that the
 * text between, which is most of it, need not be parsed; anything else is parsed whole.
 */
export function readPlainAnswer(dialect: Dialect, body: Buffer): PlainReading {
  const upstreamId = leadingId(body);
  if (upstreamId !== undefined) {
    const usage = readLastPart(dialect, body);
    if (usage.kind === "reported") return { usage, upstreamId, isOrdinary: true };
  }
  const { usage, upstreamId: id } = readAnswer(dialect, body);
  return { usage, upstreamId: id, isOrdinary: false };
}

/** The id of a body that begins `{"id":"…"`; undefined for any other, and for one with escapes. */
function leadingId(body: Buffer): string | undefined {
  const head = body.toString("latin1", 0, headBytes);
  if (!head.startsWith(idStart)) return undefined;
  const end = head.indexOf('"', idStart.length);
  const id = end === -1 ? "" : head.slice(idStart.length, end);
  return id === "" || id.includes("\\") ? undefined : id;
}

const idStart = '{"id":"';
const headBytes = 160;
