import type { Pool } from "@farebox/kit/mysql";
import type { Usage } from "@farebox/pricing/usage";
import type { RowDataPacket } from "mysql2/promise";
import type { CostDimension, CostRow, Granularity } from "../domain/cost-summary.ts";

/** What to sum. */
export type CostQuery = {
  /** Empty for every account. */
  readonly accountId: string;
  /** Empty for every tenant. */
  readonly tenantId: string;
  /** Whole hours, the end exclusive. */
  readonly startMs: number;
  readonly endMs: number;
  readonly groupBy: readonly CostDimension[];
  readonly granularity: Granularity;
};

const dimensionColumns = {
  tenant: "h.tenant_id",
  account: "h.account_id",
  user: "h.user_id",
  api_key: "h.api_key_id",
  service: "h.service",
  provider: "h.provider",
  model: "h.model",
} as const satisfies Record<CostDimension, string>;

const stepColumns = {
  whole: "NULL",
  hour: "h.hour",
  day: "CAST(DATE(h.hour) AS DATETIME)",
  month: "CAST(DATE_FORMAT(h.hour, '%Y-%m-01') AS DATETIME)",
} as const satisfies Record<Granularity, string>;

const usageColumns = {
  inputTokens: "input_tokens",
  cacheReadTokens: "cache_read_tokens",
  cacheWriteTokens: "cache_write_tokens",
  cacheWrite1hTokens: "cache_write_1h_tokens",
  audioInputTokens: "audio_input_tokens",
  outputTokens: "output_tokens",
  reasoningTokens: "reasoning_tokens",
  audioOutputTokens: "audio_output_tokens",
  images: "images",
  requests: "requests",
} as const satisfies Record<keyof Usage, string>;

/**
 * Sums of the hourly sums, which settlement writes in the transaction that charges: every total agrees with the rows it
 * sums. Always told apart by currency. By time step, then dearest first; at most `rowsMax`.
 */
export async function readCostRows(
  pool: Pool,
  query: CostQuery,
  rowsMax: number,
): Promise<readonly CostRow[]> {
  const grouped = query.groupBy.map((dimension) => dimensionColumns[dimension]);
  const sums = ["cost", "attempts", "failed", "free_units", ...Object.values(usageColumns)].map(
    (column) => `CAST(SUM(h.${column}) AS SIGNED) AS ${column}`,
  );
  const columns = [
    "a.currency_code AS currency_code",
    `${stepColumns[query.granularity]} AS step`,
    ...query.groupBy.map((dimension) => `${dimensionColumns[dimension]} AS by_${dimension}`),
    ...sums,
  ];
  const conditions = ["h.hour >= ?", "h.hour < ?"];
  const values: unknown[] = [new Date(query.startMs), new Date(query.endMs)];
  if (query.accountId !== "") {
    conditions.push("h.account_id = ?");
    values.push(query.accountId);
  }
  if (query.tenantId !== "") {
    conditions.push("h.tenant_id = ?");
    values.push(query.tenantId);
  }
  const [rows] = await pool.query<SumRow[]>(
    `SELECT ${columns.join(", ")} FROM usage_hourly h JOIN account a ON a.id = h.account_id
      WHERE ${conditions.join(" AND ")}
      GROUP BY ${["currency_code", "step", ...grouped].join(", ")}
      ORDER BY step, cost DESC, currency_code${grouped.map((column) => `, ${column}`).join("")} LIMIT ?`,
    [...values, rowsMax],
  );
  return rows.map((row) => toCostRow(row, query.groupBy));
}

type SumRow = RowDataPacket & {
  readonly currency_code: string;
  readonly step: Date | null;
  readonly cost: bigint;
  readonly attempts: bigint;
  readonly failed: bigint;
  readonly free_units: bigint;
};

function toCostRow(row: SumRow, groupBy: readonly CostDimension[]): CostRow {
  const sum = (bucket: keyof Usage): bigint => BigInt(row[usageColumns[bucket]]);
  return {
    dimensions: Object.fromEntries(
      groupBy.map((dimension) => [dimension, String(row[`by_${dimension}`])]),
    ),
    startMs: row.step?.getTime(),
    currencyCode: row.currency_code,
    costNanos: row.cost,
    attempts: row.attempts,
    failed: row.failed,
    freeUnits: row.free_units,
    usage: {
      inputTokens: sum("inputTokens"),
      cacheReadTokens: sum("cacheReadTokens"),
      cacheWriteTokens: sum("cacheWriteTokens"),
      cacheWrite1hTokens: sum("cacheWrite1hTokens"),
      audioInputTokens: sum("audioInputTokens"),
      outputTokens: sum("outputTokens"),
      reasoningTokens: sum("reasoningTokens"),
      audioOutputTokens: sum("audioOutputTokens"),
      images: sum("images"),
      requests: sum("requests"),
    },
  };
}
