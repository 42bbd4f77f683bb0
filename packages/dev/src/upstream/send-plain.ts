import { type Call, type Delivery, headers } from "./call.ts";
import type { Reply } from "./dialect.ts";

/** Sends a whole answer, or as much of it as the scenario lets through. */
export function sendPlain(call: Call, reply: Reply): Delivery {
  const { dialect, demand, res } = call;
  const { fault } = demand.scenario;
  const json = "application/json";
  const base = { status: 200, chunks: 1, usageSent: "none" } as const;
  if (fault === "error-200") {
    const bytes = sendBody(call, 200, json, dialect.error(500, "The server had an error"), []);
    return { ...base, outcome: "failed", bytes, chunks: 0 };
  }
  const body = dialect.plain(reply);
  if (fault === "truncated-json") {
    return { ...base, outcome: "truncated", bytes: sendBody(call, 200, json, halfOf(body), []) };
  }
  if (fault === "cut-before-usage" || fault === "cut-after-usage") {
    const part = fault === "cut-before-usage" ? halfOf(body) : body.slice(0, -1);
    res.writeHead(200, [...headers(call, json), "content-length", String(Buffer.byteLength(body))]);
    // Destroyed only when the part is on its way, or nothing at all would arrive.
    res.write(part, () => res.destroy());
    return { ...base, outcome: "cut", bytes: part.length };
  }
  const type = fault === "wrong-content-type" ? "text/plain" : json;
  const bytes = sendBody(call, 200, type, body, []);
  const usageSent = reply.answer.reported === undefined ? "none" : "full";
  return { ...base, outcome: "answered", bytes, usageSent };
}

/** Sends a whole body with its length. Returns its bytes. */
export function sendBody(
  call: Call,
  status: number,
  type: string,
  body: string,
  extra: readonly string[],
): number {
  const bytes = Buffer.byteLength(body);
  call.res.writeHead(status, [...headers(call, type), "content-length", String(bytes), ...extra]);
  call.res.end(body);
  return bytes;
}

function halfOf(body: string): string {
  return body.slice(0, Math.floor(body.length / 2));
}
