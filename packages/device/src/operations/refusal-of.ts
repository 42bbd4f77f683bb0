import { AppError } from "@farebox/kit/app-error";
import type { Allocation } from "../domain/allocation.ts";

/** What whoever asked for a device is answered when it was cancelled; undefined when there is one, or the owner cancelled it. */
export function refusalOf({
  state,
  endReason,
  endNote,
}: Pick<Allocation, "state" | "endReason" | "endNote">): AppError | undefined {
  if (endReason === "ROLLED_BACK") return new AppError("NO_CAPACITY", "Another one was refused.");
  if (state !== "CANCELLED") return undefined;
  switch (endReason) {
    case "NO_MONEY":
      return new AppError(
        endNote === "ACCOUNT_IN_DEBT" ? "ACCOUNT_IN_DEBT" : "INSUFFICIENT_BALANCE",
      );
    case "START_FAILED":
      return new AppError("DEVICE_START_FAILED", undefined, { metadata: { why: endNote } });
    case "QUEUE_EXPIRED":
      return new AppError("NO_CAPACITY");
    default:
      return undefined;
  }
}
