import { type Reason, reasonAnswer } from "@farebox/kit/reasons";
import { AttemptState, UsageSource } from "@farebox/proto/farebox/billing/v1/usage";
import type { AttemptOutcome } from "../billed-call.ts";

/** The contract's number of an attempt's end. */
export function stateNumber(state: AttemptOutcome["state"]): number {
  switch (state) {
    case "succeeded":
      return AttemptState.SUCCEEDED;
    case "failed":
      return AttemptState.FAILED;
    case "cancelled":
      return AttemptState.CANCELLED;
  }
}

/** The contract's number of where a usage comes from. */
export function usageSourceNumber(source: AttemptOutcome["usageSource"]): number {
  switch (source) {
    case "provider":
      return UsageSource.PROVIDER;
    case "partial":
      return UsageSource.PARTIAL;
    case "estimated":
      return UsageSource.ESTIMATED;
    case "none":
      return UsageSource.NONE;
  }
}

/** The number of the reason that ended an attempt; 0 for none. */
export function errorCodeOf(reason: Reason | undefined): number {
  return reason === undefined ? 0 : reasonAnswer(reason).number;
}
