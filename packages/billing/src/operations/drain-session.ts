import { AppError, fieldError } from "@farebox/kit/app-error";
import { inTransaction } from "@farebox/kit/mysql";
import type { LeaseEvents } from "../lease-events.ts";
import { recordDrained, type SessionKey } from "../store/session-store.ts";
import { type ReleaseEpochsDeps, releaseEpochs } from "./release-epochs.ts";

export type DrainSessionDeps = ReleaseEpochsDeps & { readonly events: LeaseEvents };

export type DrainSessionInput = {
  readonly session: SessionKey;
  /** The newest epoch whose journal has been acknowledged in full; older than the session's own. */
  readonly drainedEpoch: bigint;
};

/**
 * Releases what older epochs of a gateway still hold, once it has stated that their journals are settled. The statement
 * is stored first: whatever a crash leaves unreleased, the sweeper finishes. Stated twice, the second changes nothing.
 *
 * Errors: INVALID_ARGUMENT for an epoch that is not older than the session's; EPOCH_STALE; UNAVAILABLE.
 */
export async function drainSession(
  deps: DrainSessionDeps,
  input: DrainSessionInput,
): Promise<void> {
  const { session, drainedEpoch } = input;
  if (drainedEpoch >= session.epoch || drainedEpoch < 0n) {
    throw fieldError("drained.epoch", "must be older than the epoch of the stream");
  }
  const isCurrent = await inTransaction(deps.pool, (tx) =>
    recordDrained(tx, session, drainedEpoch),
  );
  if (!isCurrent) throw new AppError("EPOCH_STALE");
  const gatewayId = Buffer.from(session.gatewayId);
  const released = await releaseEpochs(deps, { gatewayId, upToEpoch: drainedEpoch });
  deps.events.epochsDrained({ gatewayId, epoch: drainedEpoch, ...released });
}
