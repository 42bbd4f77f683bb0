import type { RpcMethod } from "@farebox/kit/rpc-context";
import type { BillingService } from "@farebox/proto/farebox/billing/v1/billing_service";
import { type DrainSessionDeps, drainSession } from "../operations/drain-session.ts";
import { isCurrentSession } from "../operations/is-current-session.ts";
import { openSession } from "../operations/open-session.ts";
import { renewSession } from "../operations/renew-session.ts";
import { type SettleItemsDeps, settleItems } from "../operations/settle-items.ts";
import type { SettleQueue } from "../operations/settle-queue.ts";
import type { SettleCodec } from "./settle-codec.ts";
import { createSettleStreams } from "./settle-streams.ts";
import { settleUsage } from "./settle-usage.ts";

export type SettleUsageMethodDeps = DrainSessionDeps &
  SettleItemsDeps & {
    readonly codec: SettleCodec;
    /** Where batches of all streams meet; without it each is settled by itself. */
    readonly settles?: SettleQueue;
    /** How long a gateway's leases live after an answered renewal. */
    readonly leaseValidForMs: number;
  };

/** The settlement streams of one process. To be mounted unvalidated, with the codec's `decodeRequest` and `encodeResponse`. */
export function settleUsageMethod(
  deps: SettleUsageMethodDeps,
): RpcMethod<(typeof BillingService)["method"]["settleUsage"]> {
  const streamDeps = {
    clock: deps.clock,
    leaseValidForMs: deps.leaseValidForMs,
    streams: createSettleStreams(),
    openSession: async (input: Parameters<typeof openSession>[1]) => {
      const session = await openSession(deps, input);
      deps.events.sessionOpened(session);
      return session;
    },
    renewSession: renewSession.bind(undefined, deps),
    drainSession: drainSession.bind(undefined, deps),
    isCurrent: isCurrentSession.bind(undefined, deps),
    settleItems: (items: Parameters<typeof settleItems>[1]["items"]) =>
      deps.settles?.submit(items) ?? settleItems(deps, { items }),
    itemsOf: deps.codec.itemsOf,
  };
  return (messages, ctx) => settleUsage(streamDeps, messages, ctx);
}
