import type { Nanos } from "@farebox/kit/money";

/** A client's request id, to be held by one attempt. Ids and hash in hex. */
export type RequestClaim = {
  readonly accountId: string;
  readonly requestId: string;
  /** SHA-256 of method, path and body. */
  readonly sha256: string;
  readonly attemptId: string;
};

/** A claim as it stands, after the claimant's own was added if there was none. */
export type StoredClaim = RequestClaim & {
  readonly state: "IN_FLIGHT" | "CHARGED" | "VOID";
  /** The transaction that was charged, in hex; empty for none. */
  readonly transactionId: string;
  readonly cost: Nanos;
  /** Whether the attempt that holds it can no longer end it: its epoch is drained, or its gateway was lost too long ago. */
  readonly isOrphan: boolean;
};

/** Whether the attempt may be made. */
export type ClaimAnswer =
  | { readonly kind: "claimed"; readonly mustTakeOver: boolean }
  | { readonly kind: "refuse"; readonly reason: "REQUEST_ID_REUSED" | "REQUEST_IN_PROGRESS" }
  | {
      readonly kind: "refuse";
      readonly reason: "REQUEST_ALREADY_CHARGED";
      readonly transactionId: string;
      readonly cost: Nanos;
    };

/**
 * Decides a claim. The same attempt claims again with the same answer. What was charged is never run again; an attempt
 * that cost nothing, or died, leaves its id to the next.
 */
export function decideClaim(claim: RequestClaim, stored: StoredClaim): ClaimAnswer {
  const { state, transactionId, cost } = stored;
  if (stored.sha256 !== claim.sha256) return { kind: "refuse", reason: "REQUEST_ID_REUSED" };
  if (state === "CHARGED") {
    return { kind: "refuse", reason: "REQUEST_ALREADY_CHARGED", transactionId, cost };
  }
  const isOwn = stored.attemptId === claim.attemptId;
  if (state === "IN_FLIGHT" && isOwn) return { kind: "claimed", mustTakeOver: false };
  if (state === "IN_FLIGHT" && !stored.isOrphan) {
    return { kind: "refuse", reason: "REQUEST_IN_PROGRESS" };
  }
  return { kind: "claimed", mustTakeOver: true };
}
