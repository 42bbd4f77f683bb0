import type { ServerResponse } from "node:http";
import { AppError } from "@farebox/kit/app-error";
import { type RefusalManner, sendRefusal } from "../http/send-refusal.ts";

export type RefuseDeps = { readonly events: RefusalEvents };

/** What is worth counting and logging of a call that was not served. */
export type RefusalEvents = {
  refused(requestId: string | undefined, error: AppError): void;
  failed(requestId: string | undefined, error: unknown): void;
};

/**
 * Answers a call that could not be served. An answer that has begun is cut off instead, without its last byte: what could not
 * be made durable must not look complete.
 */
export function refuseCall(
  deps: RefuseDeps,
  input: {
    readonly error: unknown;
    readonly res: ServerResponse;
    readonly manner: RefusalManner;
  },
): void {
  const { error, res, manner } = input;
  const refusal =
    error instanceof AppError ? error : new AppError("INTERNAL", undefined, { cause: error });
  if (refusal.reason === "INTERNAL") deps.events.failed(manner.requestId, refusal.cause ?? refusal);
  else deps.events.refused(manner.requestId, refusal);
  if (res.headersSent) res.destroy();
  else sendRefusal(res, refusal, manner);
}
