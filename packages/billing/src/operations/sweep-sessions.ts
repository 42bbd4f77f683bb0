import { inTransaction } from "@farebox/kit/mysql";
import { isLive } from "../domain/session-epoch.ts";
import { createSteadyWatch, type Sighting } from "../domain/steady-watch.ts";
import type { LeaseEvents } from "../lease-events.ts";
import {
  readLeasesOfDrainedEpochs,
  readOpenLeasesOfSuspectEpochs,
  suspectLeases,
} from "../store/lost-lease-store.ts";
import {
  readWatchedSessions,
  recordAbandoned,
  type StoredSession,
  suspectEpochs,
} from "../store/session-store.ts";
import { type ReleaseEpochsDeps, releaseEpochs } from "./release-epochs.ts";
import { releaseLeases } from "./release-leases.ts";

export type SweepSessionsDeps = ReleaseEpochsDeps & {
  readonly events: LeaseEvents;
  /** How long leases live after a renewal. */
  readonly leaseValidForMs: number;
  /** How long the leases of a lost gateway are kept for it after they became suspect. */
  readonly leaseSuspectMsMax: number;
  /** How often the sweep runs: longer pauses between two runs do not count as silence. */
  readonly periodMs: number;
};

/** How many gateways are watched at once; those beyond wait until others are drained. */
const sessionsMax = 10_000;
const leasesMax = 500;

/**
 * Makes the sweep that ends the leases of lost gateways. A gateway that shows no sign of life for twice the validity has
 * its epoch suspected; the leases of suspected epochs become SUSPECT, and are released, with an alarm, when the gateway
 * has not drained them in time. An old epoch that a returned gateway does not drain goes the same way.
 *
 * Any number of processes may sweep: each change is conditional on what was watched, and happens once.
 */
export function createSweepSessions(deps: SweepSessionsDeps): () => Promise<void> {
  const gapMsMax = deps.periodMs * 2;
  const silent = createSteadyWatch(gapMsMax);
  const undrained = createSteadyWatch(gapMsMax);
  const suspect = createSteadyWatch(gapMsMax);
  return async () => {
    const sessions = await inTransaction(deps.pool, (tx) => readWatchedSessions(tx, sessionsMax));
    const nowMs = deps.clock.monotonicMs();
    const silentMs = silent(nowMs, sessions.filter(isLive).map(lifeMark));
    const undrainedMs = undrained(nowMs, sessions.filter(hasOldEpochs).map(epochMark));
    const suspectMs = suspect(nowMs, sessions.filter(hasSuspects).map(suspectMark));
    const lostMs = 2 * deps.leaseValidForMs;
    for (const session of sessions) {
      const key = keyOf(session);
      if ((silentMs.get(key) ?? 0) >= lostMs) await giveUp(deps, session, session.epoch);
      else if ((undrainedMs.get(key) ?? 0) >= lostMs)
        await giveUp(deps, session, session.epoch - 1n);
      if ((suspectMs.get(key) ?? 0) >= deps.leaseSuspectMsMax) await abandon(deps, session);
    }
    await suspectTheirLeases(deps);
    await finishDrains(deps);
  };
}

async function giveUp(
  deps: SweepSessionsDeps,
  session: StoredSession,
  epoch: bigint,
): Promise<void> {
  const isGivenUp = await inTransaction(deps.pool, (tx) => suspectEpochs(tx, session, epoch));
  if (!isGivenUp) return;
  deps.events.epochsSuspected({ gatewayId: session.gatewayId, epoch });
}

async function abandon(deps: SweepSessionsDeps, session: StoredSession): Promise<void> {
  const { gatewayId, suspectEpoch } = session;
  const released = await releaseEpochs(deps, { gatewayId, upToEpoch: suspectEpoch });
  await inTransaction(deps.pool, (tx) => recordAbandoned(tx, gatewayId, suspectEpoch));
  deps.events.epochsAbandoned({ gatewayId, epoch: suspectEpoch, ...released });
}

/** Also finds leases that a grant wrote while its epoch was being given up. */
async function suspectTheirLeases(deps: SweepSessionsDeps): Promise<void> {
  const leases = await inTransaction(deps.pool, (tx) =>
    readOpenLeasesOfSuspectEpochs(tx, leasesMax),
  );
  if (leases.length === 0) return;
  const now = new Date(deps.clock.nowMs());
  const count = await inTransaction(deps.pool, (tx) => suspectLeases(tx, leases, now));
  if (count > 0) deps.events.leasesSuspected(count);
}

/** Ends what a process began to drain before it died. */
async function finishDrains(deps: SweepSessionsDeps): Promise<void> {
  const leases = await inTransaction(deps.pool, (tx) => readLeasesOfDrainedEpochs(tx, leasesMax));
  await releaseLeases(deps, { leases, state: "RELEASED" });
}

function hasOldEpochs(session: StoredSession): boolean {
  const { epoch, suspectEpoch, drainedEpoch } = session;
  return isLive(session) && suspectEpoch < epoch - 1n && drainedEpoch < epoch - 1n;
}

function hasSuspects(session: StoredSession): boolean {
  return session.suspectEpoch > session.drainedEpoch;
}

const keyOf = (session: StoredSession) => session.gatewayId.toString("hex");
const lifeMark = (session: StoredSession): Sighting => [
  keyOf(session),
  `${session.epoch}/${session.renewals}`,
];
const epochMark = (session: StoredSession): Sighting => [keyOf(session), String(session.epoch)];
const suspectMark = (session: StoredSession): Sighting => [
  keyOf(session),
  String(session.suspectEpoch),
];
