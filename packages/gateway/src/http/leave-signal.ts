import type { ServerResponse } from "node:http";

/**
 * Makes a signal that aborts when the client leaves, or has left. Only for calls that are made to wait: nearly all are not, and
 * a signal costs more than admitting them does.
 */
export function leaveSignal(res: ServerResponse): AbortSignal {
  const leaving = new AbortController();
  if (res.destroyed) leaving.abort();
  else res.once("close", () => leaving.abort());
  return leaving.signal;
}
