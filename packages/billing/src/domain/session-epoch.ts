/** A gateway's incarnation as Billing has stored it. Epochs grow; of each kind the newest is kept. */
export type GatewaySession = {
  readonly bootId: Uint8Array;
  /** The epoch whose leases live now. */
  readonly epoch: bigint;
  /** Counts signs of life within the epoch. */
  readonly renewals: bigint;
  /** The newest epoch whose journal is settled in full: leases of it and of older ones are released. */
  readonly drainedEpoch: bigint;
  /** The newest epoch that was lost sight of: leases of it and of older ones are suspect. */
  readonly suspectEpoch: bigint;
};

/** What a `hello` means for the stored session. */
export type EpochDecision =
  | { readonly kind: "create"; readonly epoch: bigint }
  | { readonly kind: "reconnect"; readonly epoch: bigint }
  | { readonly kind: "take-over"; readonly epoch: bigint };

/**
 * Decides the epoch of a gateway that says hello.
 *
 * The same boot keeps its epoch, and with it its open leases, unless they were given up meanwhile. A new boot has lost
 * what the old one knew about its leases, so it always gets a new epoch; so does a boot that another one has replaced.
 */
export function decideEpoch(stored: GatewaySession | undefined, bootId: Uint8Array): EpochDecision {
  if (stored === undefined) return { kind: "create", epoch: 1n };
  if (isLive(stored) && sameBytes(stored.bootId, bootId)) {
    return { kind: "reconnect", epoch: stored.epoch };
  }
  return { kind: "take-over", epoch: stored.epoch + 1n };
}

/** True while the leases of the session's own epoch may be spent from. */
export function isLive(session: GatewaySession): boolean {
  return session.suspectEpoch < session.epoch;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
