import type { Receipt } from "../interceptor/billed-call.ts";
import type { Hold } from "./hold.ts";

/** Gives back a reservation whose call was never made: it is journaled as one that cost nothing. */
export function voidQuota(hold: Hold): Promise<Receipt> {
  return hold.void({
    state: "failed",
    httpStatus: 0,
    latencyMs: 0,
    timeToFirstTokenMs: undefined,
    upstreamId: "",
    errorReason: "INSUFFICIENT_BALANCE",
  });
}
