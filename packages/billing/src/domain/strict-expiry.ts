/** What a sweeper knows of a lease that nobody renews by stream. All in milliseconds. */
export type StrictLeaseSight = {
  readonly validForMs: number;
  /** For how long this sweeper has watched the lease with its present expiry. */
  readonly seenMs: number;
  /** For how long of that, without a break, the wall clock has said that it is expired; 0 when it does not. */
  readonly seenExpiredMs: number;
};

/** The longest that an expired lease is watched before it is released: covers clocks that jump by an hour. */
const confirmMsMax = 3_600_000;

/**
 * True when a strict lease is over, whatever the wall clock did.
 *
 * The wall clock alone may be an hour ahead: so the lease must also have been watched for its whole validity (an hour, if
 * that is less), and have been expired for half of it. The wall clock may be an hour behind: so one and a half
 * validities of watching are enough without it. Seen from its grant, a lease so ends between 1 and 2 validities.
 */
export function isStrictLeaseOver(sight: StrictLeaseSight): boolean {
  const { validForMs, seenMs, seenExpiredMs } = sight;
  if (seenMs >= validForMs * 1.5) return true;
  return (
    seenExpiredMs >= Math.min(validForMs / 2, confirmMsMax) &&
    seenMs >= Math.min(validForMs, confirmMsMax)
  );
}
