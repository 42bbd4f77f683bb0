import type { BilledCall, BilledCaller } from "../interceptor/billed-call.ts";
import type { CallHold } from "../interceptor/call-hold.ts";

/** One admitted call as the steps see it: what it may cost, and its place in the journal. */
export type Hold = Pick<
  CallHold,
  "isFree" | "isClamped" | "grantedNanos" | "grow" | "checkpoint" | "settle" | "void"
>;

/** The billing interceptor as the steps see it. */
export type Quota = {
  /** See `BillingInterceptor`: at once when a lease covers the call; refuses with an AppError. */
  beforeRequest(
    caller: BilledCaller,
    call: BilledCall,
    leaving: () => AbortSignal,
  ): Hold | Promise<Hold>;
};
