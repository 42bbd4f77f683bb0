import type { LeaseEvents, Released, SessionFacts } from "../src/lease-events.ts";

/** Lease events as they happened, as text. */
export type RecordedLeaseEvents = LeaseEvents & { readonly lines: string[] };

/** Keeps what happens, so that a test can tell how often it did. */
export function recordLeaseEvents(): RecordedLeaseEvents {
  const lines: string[] = [];
  const released = (what: string) => (event: SessionFacts & Released) => {
    lines.push(`${what} ${event.epoch}: ${event.leaseCount} leases, ${event.claimCount} claims`);
  };
  return {
    lines,
    sessionOpened: (session) => lines.push(`opened ${session.epoch}`),
    epochsSuspected: (session) => lines.push(`suspected ${session.epoch}`),
    epochsDrained: released("drained"),
    epochsAbandoned: released("abandoned"),
    leasesSuspected: (count) => lines.push(`${count} leases suspect`),
    leasesExpired: (count) => lines.push(`${count} leases expired`),
  };
}
