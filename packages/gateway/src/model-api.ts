import { AppError } from "@farebox/kit/app-error";
import type { Dialect } from "./domain/call.ts";
import { readHead } from "./http/call-head.ts";
import type { PublicRequest } from "./http/public-server.ts";
import { sendAnswer } from "./http/send-answer.ts";
import type { ModelLists } from "./model-lists.ts";
import { authenticate, type KeyRing } from "./steps/authenticate.ts";
import { type RefuseDeps, refuseCall } from "./steps/refuse-call.ts";
import { isModelAllowed } from "./steps/resolve-call.ts";
import { modelBody, modelListBody } from "./upstream/models.ts";

export type ModelApiDeps = RefuseDeps & {
  readonly keys: KeyRing;
  readonly lists: ModelLists;
};

/**
 * Answers `GET /v1/models` and `GET /v1/models/{id}`: what is routed, priced, and allowed to the caller's key. In Anthropic's
 * shape when the client sends `anthropic-version`, as its SDK does, else in OpenAI's.
 */
export async function serveModels(
  deps: ModelApiDeps,
  { req, res, path }: PublicRequest,
): Promise<void> {
  const dialect: Dialect = req.headers["anthropic-version"] === undefined ? "openai" : "anthropic";
  try {
    const holder = await authenticate(deps.keys, readHead(req.rawHeaders));
    const models = deps
      .lists(dialect, holder.currency)
      .filter(({ id }) => isModelAllowed(holder, id));
    const id = modelId(path);
    const one = models.find((model) => model.id === id);
    if (id !== undefined && one === undefined) {
      throw new AppError("MODEL_NOT_FOUND", undefined, { metadata: { model: id.slice(0, 256) } });
    }
    const body = one === undefined ? modelListBody(dialect, models) : modelBody(dialect, one);
    sendAnswer(res, { status: 200, headers: ["content-type", "application/json"], body });
  } catch (error) {
    refuseCall(deps, {
      error,
      res,
      manner: {
        dialect,
        requestId: undefined,
        acceptLanguage: req.headers["accept-language"],
        topUpUrl: undefined,
      },
    });
  }
}

/** The model named by the path; undefined for the list. Model names may hold slashes, escaped or not. */
function modelId(path: string): string | undefined {
  const rest = path.slice("/v1/models/".length);
  if (rest === "") return undefined;
  try {
    return decodeURIComponent(rest);
  } catch {
    return rest;
  }
}
