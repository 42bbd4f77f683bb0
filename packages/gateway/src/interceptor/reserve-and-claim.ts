import { AppError } from "@farebox/kit/app-error";
import { newUuid } from "@farebox/kit/ids";
import type { BilledCall, BilledCaller } from "./billed-call.ts";
import type { ClaimDesk } from "./lease/claim-desk.ts";
import type { Reservation } from "./lease/lease.ts";
import type { LeaseBook } from "./lease/lease-book.ts";
import type { QuotaPool } from "./lease/quota-pool.ts";

/** What claiming needs. */
export type ReserveAndClaimDeps = {
  readonly book: LeaseBook;
  readonly claims: ClaimDesk;
  /** Whether a call whose id cannot be claimed, because Billing does not answer, is made without the claim. */
  readonly allowOnError: boolean;
};

/** A call whose client named it. */
export type ClaimedCall = {
  readonly caller: BilledCaller;
  readonly call: BilledCall;
  readonly pool: QuotaPool;
};

/** A reservation, and the attempt that claimed the request id; undefined when it goes on without the claim. */
export type ClaimedReservation = {
  readonly reservation: Reservation;
  readonly attemptId: Buffer | undefined;
};

/**
 * Reserves a call's worst case and claims its request id side by side. A call that one of the two refuses gives the other
 * back, so that nothing stays behind of a call that was not made.
 */
export async function reserveAndClaim(
  deps: ReserveAndClaimDeps,
  { caller, call, pool }: ClaimedCall,
  leaving: (() => AbortSignal) | undefined,
): Promise<ClaimedReservation> {
  const { book, claims } = deps;
  const { requestId, claimSha256: sha256 } = call;
  const claim = {
    accountId: caller.accountId,
    requestId,
    attemptId: newUuid(),
    ...(sha256 === undefined ? {} : { sha256 }),
  };
  const refused = new AbortController();
  const left = () =>
    AbortSignal.any([refused.signal, ...(leaving === undefined ? [] : [leaving()])]);
  const claiming = claims.claim(claim);
  const reserving = Promise.resolve(book.tryReserve(pool, call) ?? book.wait(pool, call, left));
  // Looked at after the claim, which may take longer.
  reserving.catch(() => undefined);
  let attemptId: Buffer | undefined = claim.attemptId;
  try {
    await claiming;
  } catch (error) {
    attemptId = undefined;
    if (!deps.allowOnError || !isUnavailable(error)) {
      reserving.then((unused) => book.end(pool, unused, nothingUsed)).catch(() => undefined);
      refused.abort();
      throw error;
    }
  }
  try {
    return { reservation: await reserving, attemptId };
  } catch (error) {
    if (attemptId !== undefined) claims.release(claim);
    throw error;
  }
}

function isUnavailable(error: unknown): boolean {
  return error instanceof AppError && error.reason === "BILLING_UNAVAILABLE";
}

/** What a call used that never began. */
const nothingUsed = { nanos: 0n, units: 0, isCounted: true, outcomeEnd: 0 };
