import type { AppError } from "@farebox/kit/app-error";
import type { CallNeed, Lease, Reservation } from "./lease.ts";
import type { QuotaAsk } from "./quota-ask.ts";
import { SpendRate } from "./spend-rate.ts";

/** What the gateway holds of one account for one service, and who waits for it. */
export type QuotaPool = {
  readonly accountId: string;
  readonly service: string;
  lease: Lease | undefined;
  /** Calls in order of arrival. Bounded. */
  readonly waiting: WaitingCall[];
  /** Whether an ask is about to leave, or outstanding: one at a time. */
  isAsking: boolean;
  /** The ask that left and that Billing has not answered yet. */
  ask: QuotaAsk | undefined;
  /** Why there is nothing more to be had for the moment; undefined when asking is worth while. */
  denial: Denial | undefined;
  /** No refill is asked for in the background before this monotonic time. */
  quietUntilMs: number;
  /** Whether a lease of this pool is being closed: asking meanwhile would miss the money that it returns. */
  isClosing: boolean;
  /** Whether Billing's last answer was that this account can pay. */
  isInGoodStanding: boolean;
  lastAdmitMs: number;
  lastWorstCaseNanos: bigint;
  readonly spend: SpendRate;
  readonly unitSpend: SpendRate;
};

/** A call that waits for a grant. Exactly one of the two is called, once. */
export type WaitingCall = CallNeed & {
  readonly arrivedMs: number;
  /** When it is refused, or served without Billing. */
  deadlineMs: number;
  /** Why Billing has nothing for it, when all it waits for is what calls in flight may give back. */
  denial: Denial | undefined;
  readonly admit: (reservation: Reservation) => void;
  readonly refuse: (error: AppError) => void;
};

/** Billing's last no, remembered for a moment so that a crowd of callers does not ask in vain. */
export type Denial = {
  readonly untilMs: number;
  readonly reason:
    | "INSUFFICIENT_BALANCE"
    | "INSUFFICIENT_QUOTA"
    | "ACCOUNT_IN_DEBT"
    | "BUDGET_EXCEEDED";
  /** What Billing had left for anybody: a call that needs no more is worth asking for. */
  readonly available: bigint;
  readonly receivable: bigint;
};

export function createQuotaPool(accountId: string, service: string, nowMs: number): QuotaPool {
  return {
    accountId,
    service,
    lease: undefined,
    waiting: [],
    isAsking: false,
    ask: undefined,
    denial: undefined,
    quietUntilMs: 0,
    isClosing: false,
    isInGoodStanding: false,
    lastAdmitMs: nowMs,
    lastWorstCaseNanos: 1n,
    spend: new SpendRate(nowMs),
    unitSpend: new SpendRate(nowMs),
  };
}
