import type { PublicRequest } from "./http/public-server.ts";
import { sendAnswer } from "./http/send-answer.ts";

export type ProbeDeps = {
  /** What keeps the gateway from serving paid calls, by name; empty when it is ready. */
  readonly notReady: () => readonly string[];
};

/** Answers `/healthz`, `/livez` and `/readyz` on the public port, as on the operations port. False for any other path. */
export function serveProbe(deps: ProbeDeps, { req, res, path }: PublicRequest): boolean {
  if (req.method !== "GET" && req.method !== "HEAD") return false;
  if (path === "/healthz" || path === "/livez") {
    sendAnswer(res, { status: 200, headers: [...plain], body: Buffer.from("ok\n") });
    return true;
  }
  if (path !== "/readyz") return false;
  const failing = deps.notReady();
  const body = Buffer.from(`${JSON.stringify({ ready: failing.length === 0, failing })}\n`);
  sendAnswer(res, { status: failing.length === 0 ? 200 : 503, headers: [...json], body });
  return true;
}

const plain = ["content-type", "text/plain", "cache-control", "no-store"];
const json = ["content-type", "application/json", "cache-control", "no-store"];
