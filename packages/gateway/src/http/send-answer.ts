import type { ServerResponse } from "node:http";

/**
 * Sends a whole answer, head and body in one write. Does nothing when the client has gone. `headers` are names and values by
 * turns; the length is added.
 */
export function sendAnswer(
  res: ServerResponse,
  answer: { readonly status: number; readonly headers: string[]; readonly body: Buffer },
): void {
  if (res.destroyed || res.headersSent) return;
  answer.headers.push("content-length", String(answer.body.length));
  res.writeHead(answer.status, answer.headers);
  res.end(answer.body);
}
