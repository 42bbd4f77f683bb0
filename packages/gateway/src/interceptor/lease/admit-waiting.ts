import { minNanos } from "@farebox/kit/money";
import { type CallNeed, type Reservation, reserveRest, reserveWhole } from "./lease.ts";
import type { Denial, QuotaPool, WaitingCall } from "./quota-pool.ts";
import { deniedError } from "./refuse-call.ts";

/**
 * Admits waiting calls in order of arrival, as long as the lease covers the first of them in full. With a `denial` there is
 * no more to be had than it says: then the first is clamped to what is left if that is of use to it. If not even what Billing
 * has left would be, or if it is the very call that Billing has just said no to, it is refused; but while calls in flight hold
 * money that may come back, it waits for that a moment first.
 */
export function admitWaiting(
  pool: QuotaPool,
  denial: Denial | undefined,
  askedFor: WaitingCall | undefined,
): void {
  const { waiting } = pool;
  for (let call = waiting[0]; call !== undefined; call = waiting[0]) {
    const reservation = coverFirst(pool, call, denial);
    if (reservation !== undefined) {
      waiting.shift();
      call.admit(reservation);
      continue;
    }
    if (denial === undefined || (call !== askedFor && isWorthAsking(pool, call, denial))) return;
    if (mayComeBack(pool, call)) {
      waitForReturn(call, denial);
      for (const other of waiting) {
        if (!isWorthAsking(pool, other, denial)) waitForReturn(other, denial);
      }
      return;
    }
    waiting.shift();
    call.refuse(deniedError(pool, denial));
  }
}

/** Lets a call that Billing has nothing for wait for what calls in flight may give back. */
export function waitForReturn(call: WaitingCall, denial: Denial): void {
  call.denial = denial;
  call.deadlineMs = Math.min(call.deadlineMs, call.arrivedMs + returnWaitMs);
}

/** Whether calls in flight hold enough for the call, should they cost nothing. */
export function mayComeBack({ lease }: QuotaPool, need: CallNeed): boolean {
  if (lease === undefined || lease.callsInFlight === 0) return false;
  return minNanos(need.minimumNanos, need.worstCaseNanos) <= lease.granted - lease.counted;
}

/** What the first call in line can have now: its worst case, or all that is left when Billing has nothing to add. */
export function coverFirst(
  pool: QuotaPool,
  need: CallNeed,
  denial: Denial | undefined,
): Reservation | undefined {
  const { lease } = pool;
  if (lease === undefined) return undefined;
  const whole = reserveWhole(lease, need);
  if (whole !== undefined || denial === undefined || denial.available > 0n) return whole;
  return reserveRest(lease, need);
}

/** Whether what Billing said it had left, and what the lease has, make up what the call needs at least. */
export function isWorthAsking(pool: QuotaPool, need: CallNeed, denial: Denial): boolean {
  if (denial.available <= 0n) return false;
  const free = pool.lease?.free ?? 0n;
  return minNanos(need.minimumNanos, need.worstCaseNanos) <= free + denial.available;
}

/** How long a call that cannot be paid for waits before it is refused, while calls in flight hold the money. */
const returnWaitMs = 250;
