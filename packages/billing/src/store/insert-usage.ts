import type { SettledRow } from "../domain/settle-plan.ts";
import { startedMs } from "../domain/usage-item.ts";
import type { Statements } from "./in-one-trip.ts";
import { type InsertColumn, insertRows } from "./insert-rows.ts";
import { createTimeSpeller, quoteHex, quoteHexOrNull, quoteText } from "./sql-text.ts";

/**
 * Writes transactions. An id that is there already fails the statement with a duplicate key, and so the transaction:
 * an insert that went through is the proof that the charge is the first.
 */
export async function insertUsage(
  tx: Statements,
  table: "usage_transaction" | "usage_late",
  rows: readonly SettledRow[],
): Promise<void> {
  const spell = createTimeSpeller();
  const createTime = {
    name: "create_time",
    literal: ({ item }: SettledRow) => `'${spell(startedMs(item))}'`,
  };
  await insertRows(tx, { table, columns: [...columns, createTime] }, rows);
}

/** All but the time. Defaults are those of the schema. */
const columns: readonly InsertColumn<SettledRow>[] = [
  { name: "account_id", literal: ({ item }) => quoteText(item.accountId) },
  { name: "id", literal: ({ item }) => quoteHex(item.id) },
  { name: "request_id", literal: ({ item }) => quoteText(item.requestId) },
  { name: "lease_id", literal: ({ item }) => quoteHexOrNull(item.leaseId), usual: "NULL" },
  { name: "attempt", literal: ({ item }) => String(item.attempt || 1), usual: "1" },
  { name: "service", literal: ({ item }) => quoteText(item.service) },
  { name: "provider", literal: ({ item }) => quoteText(item.provider) },
  { name: "model", literal: ({ item }) => quoteText(item.model) },
  { name: "api_key_id", literal: ({ item }) => quoteText(item.apiKeyId), usual: "''" },
  { name: "user_id", literal: ({ item }) => quoteText(item.userId), usual: "''" },
  { name: "tenant_id", literal: (row) => quoteText(row.tenantId), usual: "''" },
  count("input_tokens", ({ item }) => item.usage.inputTokens),
  count("cache_read_tokens", ({ item }) => item.usage.cacheReadTokens),
  count("cache_write_tokens", ({ item }) => item.usage.cacheWriteTokens),
  count("cache_write_1h_tokens", ({ item }) => item.usage.cacheWrite1hTokens),
  count("audio_input_tokens", ({ item }) => item.usage.audioInputTokens),
  count("output_tokens", ({ item }) => item.usage.outputTokens),
  count("reasoning_tokens", ({ item }) => item.usage.reasoningTokens),
  count("audio_output_tokens", ({ item }) => item.usage.audioOutputTokens),
  count("images", ({ item }) => item.usage.images),
  { name: "requests", literal: ({ item }) => String(item.usage.requests), usual: "1" },
  { name: "usage_source", literal: ({ item }) => String(item.usageSource), usual: "1" },
  { name: "state", literal: ({ item }) => String(item.state), usual: "1" },
  { name: "http_status", literal: ({ item }) => String(item.httpStatus), usual: "200" },
  count("error_code", ({ item }) => item.errorCode),
  { name: "cost", literal: ({ item }) => String(item.costNanos) },
  { name: "from_lease", literal: (row) => String(row.fromLease) },
  {
    name: "provider_cost",
    literal: ({ item }) =>
      item.providerCostNanos === undefined ? "NULL" : String(item.providerCostNanos),
    usual: "NULL",
  },
  count("free_units", ({ item }) => item.freeUnits),
  { name: "is_late", literal: (row) => (row.isLate ? "1" : "0"), usual: "0" },
  {
    name: "price_snapshot_id",
    literal: ({ item }) => quoteHexOrNull(item.priceSnapshotId),
    usual: "NULL",
  },
  { name: "upstream_id", literal: ({ item }) => quoteText(item.upstreamId), usual: "''" },
  count("latency_ms", ({ item }) => item.latencyMs),
  {
    name: "time_to_first_token_ms",
    literal: ({ item }) =>
      item.timeToFirstTokenMs === undefined ? "NULL" : String(item.timeToFirstTokenMs),
    usual: "NULL",
  },
  {
    name: "tags",
    literal: ({ item }) => (item.tags.length === 0 ? "NULL" : quoteText(JSON.stringify(item.tags))),
    usual: "NULL",
  },
];

function count(name: string, of: (row: SettledRow) => number): InsertColumn<SettledRow> {
  return { name, literal: (row) => String(of(row)), usual: "0" };
}
