import { formatId } from "@farebox/kit/ids";
import type { Logger } from "@farebox/kit/logger";
import type { Metrics } from "@farebox/kit/metrics";

/** What happens to leases and their gateways beside grants and settlement: a counter and a log line each. */
export type LeaseEvents = {
  /** A gateway got an epoch: its first, its own again, or a new one. */
  sessionOpened(session: SessionFacts): void;
  /** A gateway was not heard of for twice the validity, or left an old epoch undrained for that long. */
  epochsSuspected(session: SessionFacts): void;
  /** A gateway has settled all that its old epochs owed. */
  epochsDrained(session: SessionFacts & Released): void;
  /** A gateway never came back: usage it did not report is lost. An alarm when it still held leases. */
  epochsAbandoned(session: SessionFacts & Released): void;
  leasesSuspected(count: number): void;
  /** Strict leases whose holder neither closed nor renewed them. */
  leasesExpired(count: number): void;
};

export type SessionFacts = { readonly gatewayId: Uint8Array; readonly epoch: bigint };

/** What releasing took back. */
export type Released = { readonly leaseCount: number; readonly claimCount: number };

/** Makes the events of one process. */
export function createLeaseEvents(deps: {
  readonly log: Logger;
  readonly metrics: Metrics;
}): LeaseEvents {
  const { log, metrics } = deps;
  const released = metrics.counter({
    name: "leases_released_total",
    help: "Leases that were returned without their holder closing them, by cause",
    labels: ["cause"],
  });
  const suspected = metrics.counter({
    name: "leases_suspected_total",
    help: "Leases whose gateway was not heard of for twice their validity",
  });
  const opened = metrics.counter({
    name: "gateway_sessions_opened_total",
    help: "Settlement streams that said hello",
  });
  for (const cause of ["expired", "drained", "abandoned"]) released.inc({ cause }, 0);
  return {
    sessionOpened: (session) => {
      opened.inc();
      log.info({ event: "gateway_session.opened", ...named(session) });
    },
    epochsSuspected: (session) =>
      log.warn({ event: "gateway_epochs.suspected", ...named(session) }),
    epochsDrained: ({ leaseCount, claimCount, ...session }) => {
      released.inc({ cause: "drained" }, leaseCount);
      log.info({ event: "gateway_epochs.drained", ...named(session), leaseCount, claimCount });
    },
    epochsAbandoned: ({ leaseCount, claimCount, ...session }) => {
      released.inc({ cause: "abandoned" }, leaseCount);
      const event = {
        event: "gateway_epochs.abandoned",
        ...named(session),
        leaseCount,
        claimCount,
      };
      // A gateway that closed its leases before it went for good owes nothing.
      if (leaseCount > 0) log.error(event);
      else log.info(event);
    },
    leasesSuspected: (count) => {
      suspected.inc(count);
      log.warn({ event: "leases.suspected", count });
    },
    leasesExpired: (count) => {
      released.inc({ cause: "expired" }, count);
      log.info({ event: "leases.expired", count });
    },
  };
}

function named(session: SessionFacts): { readonly gatewayId: string; readonly epoch: string } {
  return { gatewayId: formatId("gtw", session.gatewayId), epoch: String(session.epoch) };
}
