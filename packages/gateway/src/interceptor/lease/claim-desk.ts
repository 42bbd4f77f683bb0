import { AppError } from "@farebox/kit/app-error";
import { formatNanos } from "@farebox/kit/money";
import type { RequestClaimResult } from "@farebox/proto/farebox/billing/v1/billing_service";
import type { AskBatcher, TravellingClaim } from "./ask-batcher.ts";
import { billingUnavailable, reasonOf } from "./refuse-call.ts";

/** A client's request id, to be claimed for one attempt. */
export type RequestClaim = TravellingClaim["claim"];

/** Where calls that carry an x-request-id claim it before they are made, so that a repetition is never a second upstream call. */
export class ClaimDesk {
  readonly #batcher: Pick<AskBatcher, "claim" | "release">;
  #releasesWaiting = 0;

  constructor(batcher: Pick<AskBatcher, "claim" | "release">) {
    this.#batcher = batcher;
  }

  /**
   * Resolves when the id is claimed. Rejects with REQUEST_ID_REUSED, REQUEST_IN_PROGRESS or REQUEST_ALREADY_CHARGED, or, when
   * Billing does not answer, with BILLING_UNAVAILABLE: without the claim nobody knows whether the call has been made before.
   */
  claim(claim: RequestClaim): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#batcher.claim({
        claim,
        answered: (result) => {
          const refusal = refusalOf(result);
          if (refusal === undefined) resolve();
          else reject(refusal);
        },
        failed: (error) => {
          // It may have been claimed all the same; then it must not stay so.
          this.release(claim);
          reject(billingUnavailable(error));
        },
      });
    });
  }

  /** Gives up a claim whose call was not made. Repeated a few times; an epoch that ends gives up what is left. */
  release(claim: RequestClaim, triesLeft = releaseTriesMax): void {
    if (this.#releasesWaiting >= releasesWaitingMax) return;
    this.#releasesWaiting++;
    const done = () => {
      this.#releasesWaiting--;
    };
    this.#batcher.release({
      claim,
      answered: done,
      failed: () => {
        done();
        if (triesLeft > 1) setTimeout(() => this.release(claim, triesLeft - 1), retryMs).unref();
      },
    });
  }
}

function refusalOf(result: RequestClaimResult): AppError | undefined {
  if (result.error === 0) return undefined;
  const reason = reasonOf(result.error);
  switch (reason) {
    case undefined:
    case "UNAVAILABLE":
    case "INTERNAL":
      return billingUnavailable();
    case "REQUEST_IN_PROGRESS":
      return new AppError(reason, undefined, { retryAfterMs: 1000 });
    case "REQUEST_ALREADY_CHARGED":
      return new AppError(reason, undefined, {
        metadata: {
          transaction_id: result.transactionId,
          cost: formatNanos(result.cost?.amountNanos ?? 0n),
        },
      });
    default:
      return new AppError(reason);
  }
}

const releaseTriesMax = 5;
const releasesWaitingMax = 10_000;
const retryMs = 1000;
