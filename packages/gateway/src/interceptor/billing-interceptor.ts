import { AppError } from "@farebox/kit/app-error";
import { newUuid } from "@farebox/kit/ids";
import type { AttemptOutcome, BilledCall, BilledCaller, Receipt } from "./billed-call.ts";
import { CallHold } from "./call-hold.ts";
import type { Journal } from "./journal/journal.ts";
import type { ClaimDesk } from "./lease/claim-desk.ts";
import type { Reservation } from "./lease/lease.ts";
import type { LeaseBook } from "./lease/lease-book.ts";
import { type ClaimedCall, reserveAndClaim } from "./reserve-and-claim.ts";
import type { SettlementClient } from "./settlement/settlement-client.ts";

/** What the interceptor is made of. */
export type BillingInterceptorDeps = {
  readonly journal: Journal;
  readonly book: LeaseBook;
  readonly claims: ClaimDesk;
  readonly settlement: Pick<SettlementClient, "isReady">;
  /** Whether calls are served, within a bound, while Billing does not answer. */
  readonly allowOnError: boolean;
};

/** What the proxy calls: before the upstream call, and after it. */
export type BillingInterceptor = {
  /**
   * Reserves the call's worst case, so that it can be paid for whatever it turns out to cost. Answers at once, without a
   * promise, when the account's lease covers it, which is nearly always. Every hold must be ended, once.
   *
   * Refuses, thrown or rejected alike, with an AppError: INSUFFICIENT_BALANCE, INSUFFICIENT_QUOTA, ACCOUNT_IN_DEBT,
   * BUDGET_EXCEEDED, ACCOUNT_NOT_FOUND, TOO_MANY_WAITING, BILLING_UNAVAILABLE, JOURNAL_FULL, SHUTTING_DOWN, and for a claimed
   * request id REQUEST_ID_REUSED, REQUEST_IN_PROGRESS, REQUEST_ALREADY_CHARGED; and CLIENT_CLOSED when the client leaves
   * while the call waits: `leaving` is asked for its signal only then.
   */
  beforeRequest(
    caller: BilledCaller,
    call: BilledCall,
    leaving?: () => AbortSignal,
  ): CallHold | Promise<CallHold>;
  /** Charges what the call used; the last byte of the answer waits for it. The same as `hold.settle`. */
  afterRequest(hold: CallHold, outcome: AttemptOutcome): Promise<Receipt>;
  /** Refuses new calls from now on. */
  stopAdmitting(): void;
  /** Calls admitted and not ended. */
  readonly callsInFlight: number;
};

/** Makes the interceptor. */
export function createBillingInterceptor(deps: BillingInterceptorDeps): BillingInterceptor {
  const { journal, book, settlement } = deps;
  let callsInFlight = 0;
  let isStopping = false;
  const holdDeps = {
    journal,
    book,
    onEnd: () => {
      callsInFlight--;
    },
  };

  function admit(
    { caller, call, pool }: AdmittedCall,
    reservation: Reservation,
    claimedBy?: Buffer,
  ): CallHold {
    const head = {
      id: claimedBy ?? newUuid(),
      caller,
      call,
      leaseId: reservation.lease?.id ?? noLease,
      isClaimed: claimedBy !== undefined,
    };
    callsInFlight++;
    return new CallHold(holdDeps, pool, head, reservation);
  }

  async function waitAndAdmit(admitted: AdmittedCall, leaving?: Leaving): Promise<CallHold> {
    return admit(admitted, await book.wait(admitted.pool, admitted.call, leaving));
  }

  async function claimAndAdmit(admitted: AdmittedCall, leaving?: Leaving): Promise<CallHold> {
    const claimed = await reserveAndClaim(deps, admitted, leaving);
    return admit(admitted, claimed.reservation, claimed.attemptId);
  }

  return {
    beforeRequest: (caller, call, leaving) => {
      if (isStopping) throw new AppError("SHUTTING_DOWN");
      if (!settlement.isReady) throw new AppError("BILLING_UNAVAILABLE", undefined, retryLater);
      if (!journal.isHealthy) throw new AppError("JOURNAL_FULL", undefined, retryLater);
      const pool = book.poolOf(caller.accountId, call.service);
      const admitted = { caller, call, pool };
      if (call.claimSha256 !== undefined) return claimAndAdmit(admitted, leaving);
      const reservation = book.tryReserve(pool, call);
      return reservation === undefined
        ? waitAndAdmit(admitted, leaving)
        : admit(admitted, reservation);
    },
    afterRequest: (hold, outcome) => hold.settle(outcome),
    stopAdmitting: () => {
      isStopping = true;
    },
    get callsInFlight() {
      return callsInFlight;
    },
  };
}

type Leaving = () => AbortSignal;
type AdmittedCall = ClaimedCall & { readonly caller: BilledCaller; readonly call: BilledCall };

const noLease = Buffer.alloc(0);
const retryLater = { retryAfterMs: 1000 };
