import { AppError } from "@farebox/kit/app-error";
import type { Dialect } from "./domain/call.ts";
import type { PublicRequest } from "./http/public-server.ts";
import { sendRefusal } from "./http/send-refusal.ts";
import { type ModelApiDeps, serveModels } from "./model-api.ts";
import { type ProbeDeps, serveProbe } from "./probes.ts";
import { type ProxyDeps, proxy } from "./proxy.ts";

/** What the public port serves. */
export type PublicApiDeps = {
  readonly proxy: ProxyDeps;
  readonly models: ModelApiDeps;
  readonly probes: ProbeDeps;
  /** The edge for Connect clients; see `createConsoleApi`. */
  readonly consoleApi: (request: PublicRequest) => void;
};

/** Finds who serves a request by its path. The paths of paid calls come first: they are nearly all there are. */
export function servePublic(deps: PublicApiDeps, request: PublicRequest): void {
  const { req, res, path, query } = request;
  const dialect = paidPaths.get(path);
  if (dialect === undefined) {
    serveOther(deps, request);
  } else if (request.isDraining) {
    refuse(deps, request, new AppError("SHUTTING_DOWN", undefined, { retryAfterMs: 1000 }));
  } else if (req.method === "POST") {
    void proxy(deps.proxy, { dialect, req, res, query });
  } else {
    refuse(deps, request, new AppError("ROUTE_NOT_FOUND", "This path takes POST."));
  }
}

function serveOther(deps: PublicApiDeps, request: PublicRequest): void {
  const { path, req } = request;
  if (path.startsWith("/farebox.")) deps.consoleApi(request);
  else if (path === "/v1/models" || path.startsWith("/v1/models/")) {
    if (req.method === "GET") void serveModels(deps.models, request);
    else refuse(deps, request, new AppError("ROUTE_NOT_FOUND", "This path takes GET."));
  } else if (!serveProbe(deps.probes, request)) {
    refuse(deps, request, new AppError("ROUTE_NOT_FOUND"));
  }
}

/** Answers in the dialect of the path, as far as it has one. */
function refuse(deps: PublicApiDeps, { req, res, path }: PublicRequest, error: AppError): void {
  sendRefusal(res, error, {
    dialect: paidPaths.get(path) ?? "openai",
    requestId: undefined,
    acceptLanguage: req.headers["accept-language"],
    topUpUrl: deps.proxy.topUpUrl,
  });
}

const paidPaths: ReadonlyMap<string, Dialect> = new Map<string, Dialect>([
  ["/v1/chat/completions", "openai"],
  ["/v1/messages", "anthropic"],
]);
