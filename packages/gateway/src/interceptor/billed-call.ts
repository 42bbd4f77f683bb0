import type { Reason } from "@farebox/kit/reasons";
import type { CompiledPrice } from "@farebox/pricing/compiled-price";
import type { Usage } from "@farebox/pricing/usage";

/** Who pays for a call, as the access copy knows the key. */
export type BilledCaller = {
  readonly accountId: string;
  readonly apiKeyId: string;
  /** The key's user; empty for none. */
  readonly userId: string;
};

/** One physical upstream call as the interceptor needs to know it before it is made. Amounts are in the account's currency. */
export type BilledCall = {
  /** What free quotas count by, for example "llm". */
  readonly service: string;
  /** The request as the client knows it; several attempts may share it. */
  readonly requestId: string;
  /** SHA-256 of method, path and body, when the client sent an x-request-id to be claimed; undefined otherwise. */
  readonly claimSha256: Buffer | undefined;
  /** 1 for the first attempt of the request. */
  readonly attempt: number;
  /** Whose prices apply and who delivers. */
  readonly provider: string;
  readonly model: string;
  readonly price: CompiledPrice;
  /** The 16 bytes of the price snapshot's id. */
  readonly snapshotId: Buffer;
  /** The most that the call may cost. */
  readonly worstCaseNanos: bigint;
  /** What the call costs with the least output that is of any use; less than this is refused, never clamped. */
  readonly minimumNanos: bigint;
  /** The most tokens that the call may take, prompt and completion together. */
  readonly worstCaseUnits: number;
  /** When the request arrived, milliseconds since 1970. */
  readonly startTimeMs: number;
  /** "key=value", at most 16. */
  readonly tags: readonly string[];
};

/** How an attempt ended, without the usage. */
export type AttemptEnd = {
  readonly state: "succeeded" | "failed" | "cancelled";
  /** The upstream's status; 0 when it never answered. */
  readonly httpStatus: number;
  /** From the request's arrival to the last byte. */
  readonly latencyMs: number;
  /** From the request's arrival to the first token; undefined when not streamed. */
  readonly timeToFirstTokenMs: number | undefined;
  /** The provider's id of the answer; empty when there was none. */
  readonly upstreamId: string;
  /** What ended the attempt early; undefined when it succeeded. */
  readonly errorReason: Reason | undefined;
};

/** The whole outcome of an attempt: what is journaled and charged. */
export type AttemptOutcome = AttemptEnd & {
  readonly usage: Usage;
  readonly usageSource: "provider" | "partial" | "estimated" | "none";
  /** The provider's own figure, in nanos of the price's currency. */
  readonly providerCostNanos: bigint | undefined;
  /** Whether the usage is beyond anything the model can produce: it is quarantined instead of charged. */
  readonly isAbsurd: boolean;
};

/** What an ended attempt cost. */
export type Receipt = {
  /** What is charged; 0 for a free call, a void, and a quarantined usage. */
  readonly costNanos: bigint;
  /** "txn_" and 32 hexadecimal digits: the transaction's id is the attempt's. */
  readonly transactionId: string;
};
