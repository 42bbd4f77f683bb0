import { AppError } from "@farebox/kit/app-error";
import {
  admitWaiting,
  coverFirst,
  isWorthAsking,
  mayComeBack,
  waitForReturn,
} from "./admit-waiting.ts";
import type { GraceBook } from "./grace-book.ts";
import {
  type CallNeed,
  endReservation,
  type Lease,
  type Reservation,
  reserveRest,
  reserveWhole,
  type UsedReservation,
} from "./lease.ts";
import { PoolMap } from "./pool-map.ts";
import { QuotaAsker, type QuotaAskerDeps } from "./quota-asker.ts";
import type { Denial, QuotaPool, WaitingCall } from "./quota-pool.ts";
import { billingUnavailable, deniedError } from "./refuse-call.ts";

/** What the book needs. */
export type LeaseBookDeps = QuotaAskerDeps & { readonly grace: GraceBook };

/** What became of the calls so far. */
export type LeaseBookFigures = {
  /** Admitted at once from a lease. */
  immediate: number;
  /** Admitted after waiting for a grant. */
  waited: number;
  clamped: number;
  /** Admitted on free units. */
  free: number;
  /** Served while Billing was not reachable. */
  grace: number;
  denied: number;
  unavailable: number;
  tooMany: number;
};

/**
 * Admits calls from leases. A call that its lease covers is admitted in memory; any other waits in line for the one ask that
 * is outstanding for its account and service. In whatever order things happen, what calls have reserved and spent never
 * exceeds what Billing granted, but for usage above a call's own bound.
 */
export class LeaseBook {
  readonly figures: LeaseBookFigures = {
    immediate: 0,
    waited: 0,
    clamped: 0,
    free: 0,
    grace: 0,
    denied: 0,
    unavailable: 0,
    tooMany: 0,
  };
  readonly pools = new PoolMap();
  /** Told how long each call waited that was admitted after waiting. */
  onWaited: (waitedMs: number) => void = () => undefined;
  readonly #deps: LeaseBookDeps;
  readonly #asker: QuotaAsker;
  readonly #waitingPools = new Set<QuotaPool>();
  readonly #nowMs: () => number;

  constructor(deps: LeaseBookDeps) {
    this.#deps = deps;
    this.#nowMs = () => deps.clock.monotonicMs();
    this.#asker = new QuotaAsker(deps, {
      onAnswer: (pool, denial, askedFor) => this.#serve(pool, denial, askedFor),
      onRefused: (pool, error) => this.#refuseWaiting(pool, error),
    });
  }

  /** The pool of an account for a service; refuses when the gateway serves more accounts than it can hold. */
  poolOf(accountId: string, service: string): QuotaPool {
    const pool = this.pools.open(accountId, service, this.#nowMs);
    if (pool === undefined) throw this.#tooMany();
    return pool;
  }

  /** Reserves a call's worst case at once; undefined when the lease does not cover it, or others came first. */
  tryReserve(pool: QuotaPool, need: CallNeed): Reservation | undefined {
    if (pool.waiting.length > 0) return undefined;
    const lease = this.#spendable(pool);
    if (lease === undefined) return need.worstCaseNanos === 0n ? nothingToPay() : undefined;
    const reservation = reserveWhole(lease, need);
    if (reservation === undefined) return undefined;
    this.figures.immediate++;
    this.#admitted(pool, need, reservation);
    return reservation;
  }

  /**
   * Waits for a grant, in order of arrival. Rejects with the AppError to answer the client with, or with CLIENT_CLOSED when
   * the signal aborts first, which is asked for only when there is a wait.
   */
  async wait(pool: QuotaPool, need: CallNeed, leaving?: Leaving): Promise<Reservation> {
    const nowMs = this.#nowMs();
    const { denial } = pool;
    if (denial !== undefined && nowMs < denial.untilMs && pool.waiting.length === 0) {
      const rest = this.#spendable(pool) && coverFirst(pool, need, denial);
      if (rest !== undefined) return this.#waited(pool, need, rest);
      if (!isWorthAsking(pool, need, denial)) {
        if (mayComeBack(pool, need)) return this.#enqueue(pool, need, { denial, leaving });
        this.figures.denied++;
        throw deniedError(pool, denial);
      }
    }
    if (this.#asker.isDown(nowMs)) {
      // Goes on asking, so that Billing's return is noticed.
      this.#asker.ask(pool);
      return this.#serveWithoutBilling(pool, need);
    }
    if (pool.waiting.length >= waitingMax) throw this.#tooMany();
    return this.#enqueue(pool, need, { denial: undefined, leaving });
  }

  /** Ends a reservation with what was used, and lets those who wait have the rest. */
  end(pool: QuotaPool, reservation: Reservation, used: UsedReservation): void {
    if (reservation.isGrace) this.#deps.grace.end(pool.accountId, reservation.nanos, used);
    endReservation(reservation, used);
    pool.spend.add(Number(used.nanos));
    if (used.units > 0) pool.unitSpend.add(used.units);
    if (pool.waiting.length > 0) this.#serve(pool);
  }

  /** Whether the account has a lease, of any service, that may be spent from. */
  hasLease(accountId: string): boolean {
    for (const pool of this.pools.ofAccount(accountId)) {
      if (this.#spendable(pool) !== undefined) return true;
    }
    return false;
  }

  /** Asks for whoever waits in a pool, now that nothing stands in the way. */
  resume(pool: QuotaPool): void {
    if (pool.waiting.length > 0) this.#asker.ask(pool);
  }

  /** Ends the waiting of calls whose time is over. Called a few times a second. */
  expireWaiting(): void {
    const nowMs = this.#nowMs();
    for (const pool of this.#waitingPools) {
      let hasExpired = false;
      for (let call = pool.waiting[0]; call !== undefined; call = pool.waiting[0]) {
        if (call.deadlineMs > nowMs) break;
        pool.waiting.shift();
        hasExpired = true;
        if (call.denial !== undefined) this.#endReturnWait(pool, call, call.denial);
        else this.#serveWithoutBilling(pool, call).then(call.admit, call.refuse);
      }
      if (pool.waiting.length === 0) this.#waitingPools.delete(pool);
      // Whoever is first in line now may be worth asking for.
      else if (hasExpired) this.#asker.ask(pool);
    }
  }

  /** Refuses everybody who waits and asks no more. */
  stop(error: AppError): void {
    for (const pool of this.#waitingPools) this.#refuseWaiting(pool, error);
    this.#asker.stop();
  }

  #spendable(pool: QuotaPool): Lease | undefined {
    const { lease } = pool;
    const { epoch } = this.#deps;
    if (lease === undefined) return undefined;
    if (lease.epoch === epoch.current) return epoch.isValid ? lease : undefined;
    // Billing has begun a new epoch: calls in flight end on the old lease, others need a new one.
    pool.lease = undefined;
    return undefined;
  }

  /** Serves who waits, in order; none while the lease may not be spent from. */
  #serve(pool: QuotaPool, denial?: Denial, askedFor?: WaitingCall): void {
    if (pool.lease !== undefined && this.#spendable(pool) === undefined) return;
    admitWaiting(pool, denial, askedFor);
    if (pool.waiting.length === 0) this.#waitingPools.delete(pool);
  }

  #admitted(pool: QuotaPool, need: CallNeed, reservation: Reservation): void {
    const { lease } = reservation;
    pool.lastAdmitMs = this.#nowMs();
    pool.lastWorstCaseNanos = need.worstCaseNanos;
    if (reservation.units > 0) this.figures.free++;
    if (reservation.isClamped) this.figures.clamped++;
    if (lease === undefined || pool.isAsking || lease.free >= lease.refillBelow) return;
    if (pool.lastAdmitMs >= pool.quietUntilMs) this.#asker.ask(pool);
  }

  #waited(pool: QuotaPool, need: CallNeed, reservation: Reservation): Reservation {
    this.figures.waited++;
    this.#admitted(pool, need, reservation);
    return reservation;
  }

  #enqueue(pool: QuotaPool, need: CallNeed, { denial, leaving }: WaitTerms): Promise<Reservation> {
    const { promise, resolve, reject } = Promise.withResolvers<Reservation>();
    const nowMs = this.#nowMs();
    const call: WaitingCall = {
      worstCaseNanos: need.worstCaseNanos,
      minimumNanos: need.minimumNanos,
      worstCaseUnits: need.worstCaseUnits,
      arrivedMs: nowMs,
      deadlineMs: nowMs + this.#deps.waitMsMax,
      denial: undefined,
      admit: (reservation) => {
        if (reservation.isGrace) resolve(reservation);
        else resolve(this.#waited(pool, need, reservation));
        this.onWaited(this.#nowMs() - nowMs);
      },
      refuse: (error) => {
        if (isDenial(error)) this.figures.denied++;
        reject(error);
      },
    };
    if (denial !== undefined) waitForReturn(call, denial);
    pool.waiting.push(call);
    this.#waitingPools.add(pool);
    if (denial === undefined) this.#asker.ask(pool);
    const signal = leaving?.();
    if (signal?.aborted) this.#leave(pool, call);
    else signal?.addEventListener("abort", () => this.#leave(pool, call), { once: true });
    return promise;
  }

  #leave(pool: QuotaPool, call: WaitingCall): void {
    const at = pool.waiting.indexOf(call);
    if (at === -1) return;
    pool.waiting.splice(at, 1);
    call.refuse(new AppError("CLIENT_CLOSED"));
    if (at !== 0) return;
    this.#serve(pool);
    // The one in front may have been all that kept the next from being asked for.
    this.resume(pool);
  }

  /** Gives a call that waited for money to come back whatever did. */
  #endReturnWait(pool: QuotaPool, call: WaitingCall, denial: Denial): void {
    const lease = this.#spendable(pool);
    const reservation = lease && (reserveWhole(lease, call) ?? reserveRest(lease, call));
    if (reservation === undefined) call.refuse(deniedError(pool, denial));
    else call.admit(reservation);
  }

  /** The failure mode: an account that Billing last said could pay is served within its grace, if there is any. */
  async #serveWithoutBilling(pool: QuotaPool, need: CallNeed): Promise<Reservation> {
    const nanos = need.worstCaseNanos;
    if (pool.isInGoodStanding && this.#deps.grace.reserve(pool.accountId, nanos)) {
      this.figures.grace++;
      return { lease: undefined, nanos, units: 0, isClamped: false, isGrace: true };
    }
    this.figures.unavailable++;
    throw billingUnavailable();
  }

  #refuseWaiting(pool: QuotaPool, error: AppError): void {
    for (const call of pool.waiting.splice(0)) call.refuse(error);
    this.#waitingPools.delete(pool);
  }

  #tooMany(): AppError {
    this.figures.tooMany++;
    return new AppError("TOO_MANY_WAITING", undefined, { retryAfterMs: 1000 });
  }
}

type Leaving = () => AbortSignal;
type WaitTerms = { readonly denial: Denial | undefined; readonly leaving: Leaving | undefined };

function isDenial({ reason }: AppError): boolean {
  return reason !== "BILLING_UNAVAILABLE" && reason !== "CLIENT_CLOSED";
}

function nothingToPay(): Reservation {
  return { lease: undefined, nanos: 0n, units: 0, isClamped: false, isGrace: false };
}

const waitingMax = 1000;
