import { hash } from "node:crypto";
import type { Rollup } from "../domain/usage-rollup.ts";
import type { Statements } from "./in-one-trip.ts";
import { type InsertColumn, insertRows } from "./insert-rows.ts";
import { quoteText } from "./sql-text.ts";

/** Adds sums to the hours they belong to. The accounts' wallets are locked, so that two settlements never meet here. */
export async function upsertRollups(tx: Statements, rollups: readonly Rollup[]): Promise<void> {
  await insertRows(tx, { table: "usage_hourly", columns, tail: addUp }, rollups);
}

/** Columns that name a sum; all others are added up. */
const names: readonly InsertColumn<Rollup>[] = [
  { name: "account_id", literal: (rollup) => quoteText(rollup.accountId) },
  { name: "hour", literal: (rollup) => quoteHour(rollup.hour) },
  { name: "dimensions", literal: (rollup) => `x'${dimensionsOf(rollup)}'` },
  { name: "tenant_id", literal: (rollup) => quoteText(rollup.tenantId), usual: "''" },
  { name: "user_id", literal: (rollup) => quoteText(rollup.userId), usual: "''" },
  { name: "api_key_id", literal: (rollup) => quoteText(rollup.apiKeyId), usual: "''" },
  { name: "service", literal: (rollup) => quoteText(rollup.service) },
  { name: "provider", literal: (rollup) => quoteText(rollup.provider) },
  { name: "model", literal: (rollup) => quoteText(rollup.model) },
];

const columns: readonly InsertColumn<Rollup>[] = [
  ...names,
  { name: "attempts", literal: (rollup) => String(rollup.attempts) },
  sum("failed", (rollup) => rollup.failed),
  sum("cost", (rollup) => rollup.cost),
  sum("free_units", (rollup) => rollup.freeUnits),
  sum("input_tokens", (rollup) => rollup.inputTokens),
  sum("cache_read_tokens", (rollup) => rollup.cacheReadTokens),
  sum("cache_write_tokens", (rollup) => rollup.cacheWriteTokens),
  sum("cache_write_1h_tokens", (rollup) => rollup.cacheWrite1hTokens),
  sum("audio_input_tokens", (rollup) => rollup.audioInputTokens),
  sum("output_tokens", (rollup) => rollup.outputTokens),
  sum("reasoning_tokens", (rollup) => rollup.reasoningTokens),
  sum("audio_output_tokens", (rollup) => rollup.audioOutputTokens),
  sum("images", (rollup) => rollup.images),
  sum("requests", (rollup) => rollup.requests),
];

function sum(name: string, of: (rollup: Rollup) => number | bigint): InsertColumn<Rollup> {
  return { name, literal: (rollup) => String(of(rollup)), usual: "0" };
}

function addUp(present: readonly string[]): string {
  const sums = present.filter((name) => !names.some((column) => column.name === name));
  return `ON DUPLICATE KEY UPDATE ${sums.map((name) => `${name} = ${name} + VALUES(${name})`).join(",")}`;
}

/** Half of a SHA-256 over the dimensions, each led by its length so that no two spell alike. */
function dimensionsOf(rollup: Rollup): string {
  const { tenantId, userId, apiKeyId, service, provider, model } = rollup;
  const parts = [tenantId, userId, apiKeyId, service, provider, model];
  return hash("sha256", parts.map((part) => `${part.length}:${part}`).join(""), "hex").slice(0, 32);
}

const hourMs = 3_600_000;

function quoteHour(hour: number): string {
  return `'${new Date(hour * hourMs).toISOString().slice(0, 13).replace("T", " ")}:00:00'`;
}
