import type { Transaction } from "../domain/transaction.ts";

/** A row of `usage_transaction` or `usage_late`, as the driver gives it. */
export type TransactionRow = {
  readonly account_id: string;
  readonly id: Buffer;
  readonly request_id: string;
  readonly lease_id: Buffer | null;
  readonly attempt: number;
  readonly service: string;
  readonly provider: string;
  readonly model: string;
  readonly api_key_id: string;
  readonly user_id: string;
  readonly tenant_id: string;
  readonly input_tokens: bigint;
  readonly cache_read_tokens: bigint;
  readonly cache_write_tokens: bigint;
  readonly cache_write_1h_tokens: bigint;
  readonly audio_input_tokens: bigint;
  readonly output_tokens: bigint;
  readonly reasoning_tokens: bigint;
  readonly audio_output_tokens: bigint;
  readonly images: bigint;
  readonly requests: bigint;
  readonly usage_source: number;
  readonly state: number;
  readonly http_status: number;
  readonly error_code: number;
  readonly cost: bigint;
  readonly provider_cost: bigint | null;
  readonly free_units: bigint;
  readonly price_snapshot_id: Buffer | null;
  readonly upstream_id: string;
  readonly latency_ms: bigint;
  readonly time_to_first_token_ms: bigint | null;
  readonly tags: string | null;
  readonly create_time: Date;
};

/** The columns that a transaction is read from. */
export const transactionColumns =
  "account_id, id, request_id, lease_id, attempt, service, provider, model, api_key_id, user_id, tenant_id, " +
  "input_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens, audio_input_tokens, output_tokens, " +
  "reasoning_tokens, audio_output_tokens, images, requests, usage_source, state, http_status, error_code, cost, " +
  "provider_cost, free_units, price_snapshot_id, upstream_id, latency_ms, time_to_first_token_ms, tags, create_time";

/** A transaction as the domain knows it. */
export function toTransaction(row: TransactionRow): Transaction {
  return {
    id: row.id,
    accountId: row.account_id,
    requestId: row.request_id,
    attempt: row.attempt,
    service: row.service,
    provider: row.provider,
    model: row.model,
    apiKeyId: row.api_key_id,
    userId: row.user_id,
    tenantId: row.tenant_id,
    usage: {
      inputTokens: Number(row.input_tokens),
      cacheReadTokens: Number(row.cache_read_tokens),
      cacheWriteTokens: Number(row.cache_write_tokens),
      cacheWrite1hTokens: Number(row.cache_write_1h_tokens),
      audioInputTokens: Number(row.audio_input_tokens),
      outputTokens: Number(row.output_tokens),
      reasoningTokens: Number(row.reasoning_tokens),
      audioOutputTokens: Number(row.audio_output_tokens),
      images: Number(row.images),
      requests: Number(row.requests),
    },
    usageSource: row.usage_source,
    state: row.state,
    httpStatus: row.http_status,
    errorCode: row.error_code,
    costNanos: row.cost,
    providerCostNanos: row.provider_cost ?? undefined,
    freeUnits: row.free_units,
    priceSnapshotId: row.price_snapshot_id ?? undefined,
    upstreamId: row.upstream_id,
    latencyMs: Number(row.latency_ms),
    timeToFirstTokenMs:
      row.time_to_first_token_ms === null ? undefined : Number(row.time_to_first_token_ms),
    tags: readTags(row.tags),
    leaseId: row.lease_id ?? undefined,
    createTimeMs: row.create_time.getTime(),
  };
}

function readTags(text: string | null): readonly string[] {
  const tags: unknown = JSON.parse(text === null || text === "" ? "[]" : text);
  return Array.isArray(tags) ? tags.filter((tag) => typeof tag === "string") : [];
}
