import { AppError } from "@farebox/kit/app-error";
import type { Wallet } from "../domain/balance-moves.ts";
import type { Lease } from "../domain/lease.ts";
import type { CloseAsk, CloseQueue } from "./close-queue.ts";

export type ReleaseQuotaDeps = { readonly closes: CloseQueue };

/** The lease at its end, and the account's wallet. */
export type ReleasedQuota = { readonly lease: Lease; readonly wallet: Wallet };

/**
 * Closes a lease and returns what was not used. Closing it again answers the same; a lease that has ended otherwise is
 * answered as it is.
 *
 * Errors: LEASE_NOT_FOUND, JOURNAL_BEHIND while less is settled than the holder counted, UNAVAILABLE.
 */
export async function releaseQuota(
  { closes }: ReleaseQuotaDeps,
  input: CloseAsk,
): Promise<ReleasedQuota> {
  const [answer] = await closes.submit([input]);
  if (answer?.kind === "closed") return { lease: answer.lease, wallet: answer.wallet };
  if (answer?.kind === "failed") throw answer.error;
  const reason = answer?.reason ?? "LEASE_NOT_FOUND";
  throw new AppError(reason, undefined, reason === "JOURNAL_BEHIND" ? retrySoon : {});
}

const retrySoon = { retryAfterMs: 100 };
