import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "@farebox/kit/clock";
import { formatId, newUuid } from "@farebox/kit/ids";
import type { Dialect } from "./domain/call.ts";
import { readHead } from "./http/call-head.ts";
import { leaveSignal } from "./http/leave-signal.ts";
import { readBody } from "./http/read-body.ts";
import type { RefusalManner } from "./http/send-refusal.ts";
import { authenticate, type KeyRing } from "./steps/authenticate.ts";
import { type Arrival, type CheckQuotaDeps, checkQuota, noLimit } from "./steps/check-quota.ts";
import { completeAnswer } from "./steps/complete-answer.ts";
import { type DeductQuotaDeps, deductQuota } from "./steps/deduct-quota.ts";
import { type ForwardDeps, forward } from "./steps/forward.ts";
import { type RefuseDeps, refuseCall } from "./steps/refuse-call.ts";
import { type ResolveDeps, resolveCall } from "./steps/resolve-call.ts";
import { trackProgress } from "./steps/track-progress.ts";

/**
 * Serves one paid call. Every reservation made here ends with an outcome in the journal, whatever becomes of the client and the
 * upstream; the last byte waits for that, and never for Billing. Never rejects: what goes wrong is answered.
 */
export async function proxy(deps: ProxyDeps, request: PaidRequest): Promise<void> {
  const { dialect, req, res } = request;
  const { clock, billing } = deps;
  const manner: MutableManner = {
    dialect,
    requestId: undefined,
    acceptLanguage: undefined,
    topUpUrl: deps.topUpUrl,
  };
  try {
    const startMs = clock.monotonicMs();
    const head = readHead(req.rawHeaders);
    const requestId = head.requestId ?? formatId("req", newUuid());
    manner.requestId = requestId;
    manner.acceptLanguage = head.acceptLanguage;

    const holder = await authenticate(deps.keys, head);
    const body = await readBody(req, deps.bodyBytesMax);
    const { query } = request;
    const startTimeMs = clock.nowMs();
    const call = resolveCall(deps, { dialect, head, body, holder, query, startTimeMs });
    const url = req.url ?? "";
    const arrival: Arrival = { head, holder, call, requestId, url, startMs, startTimeMs };
    if (billing === undefined) {
      const answer = await forward(deps, { arrival, limit: noLimit, res, progress: undefined });
      return completeAnswer({ arrival, answer, res, manner, deduction: undefined, clock });
    }

    // Refuses here, before the upstream can cost money; a client that leaves while it waits gives up its place.
    const admission = await checkQuota(billing, arrival, () => leaveSignal(res));
    const progress = call.parsed.stream ? trackProgress(billing, arrival, admission) : noProgress;
    // Always resolves: what broke, or who left, is part of the answer.
    const answer = await forward(deps, { arrival, limit: admission.limit, res, progress });
    const deduction = await deductQuota(billing, { arrival, admission, answer });
    completeAnswer({ arrival, answer, res, manner, deduction, clock });
  } catch (error) {
    refuseCall(deps, { error, res, manner });
  }
}

/** What serving paid calls needs. */
export type ProxyDeps = ResolveDeps &
  ForwardDeps &
  RefuseDeps & {
    readonly keys: KeyRing;
    /** Undefined with billing off: calls are forwarded and nothing is charged. For benchmarks only. */
    readonly billing: (CheckQuotaDeps & DeductQuotaDeps) | undefined;
    readonly clock: Clock;
    readonly bodyBytesMax: number;
    readonly topUpUrl: string | undefined;
  };

/** One request to an endpoint that is charged. */
export type PaidRequest = {
  readonly dialect: Dialect;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** With its question mark; empty for none. */
  readonly query: string;
};

type MutableManner = { -readonly [K in keyof RefusalManner]: RefusalManner[K] };

const noProgress = () => true;
