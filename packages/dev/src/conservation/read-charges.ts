import { type BilledUsage, bucketNames, type CostTerms } from "./exact-cost.ts";
import { type Books, figure, type Row, text } from "./open-books.ts";
import { type AccountFilter, attemptRows, whereAccount } from "./read-accounts.ts";

/** One transaction as Billing keeps it. */
export type ChargedAttempt = {
  readonly transactionId: string;
  readonly accountId: string;
  readonly requestId: string;
  /** The provider's id of the answer; empty when the gateway never saw one. */
  readonly upstreamId: string;
  readonly model: string;
  readonly usage: BilledUsage;
  readonly source: "PROVIDER" | "PARTIAL" | "ESTIMATED" | "NONE" | "?";
  readonly state: "SUCCEEDED" | "FAILED" | "CANCELLED" | "INTERRUPTED" | "?";
  readonly cost: bigint;
  readonly isFree: boolean;
  readonly isLate: boolean;
};

/** Transactions of one price and one usage, however many: they must all cost the same. */
export type ChargeGroup = {
  readonly terms: CostTerms | undefined;
  readonly model: string;
  readonly usage: BilledUsage;
  readonly source: ChargedAttempt["source"];
  readonly isFree: boolean;
  readonly count: bigint;
  readonly leastCost: bigint;
  readonly mostCost: bigint;
};

const sources = ["?", "PROVIDER", "PARTIAL", "ESTIMATED", "NONE"] as const;
const states = ["?", "SUCCEEDED", "FAILED", "CANCELLED", "INTERRUPTED"] as const;

const usageColumns = [
  "input_tokens",
  "cache_read_tokens",
  "cache_write_tokens",
  "cache_write_1h_tokens",
  "audio_input_tokens",
  "output_tokens",
  "reasoning_tokens",
  "audio_output_tokens",
  "images",
  "requests",
].join(", ");

/** Reads every transaction, oldest first. For logs of up to some hundred thousand. */
export async function readCharges(
  books: Books,
  filter: AccountFilter,
): Promise<readonly ChargedAttempt[]> {
  const { where, values } = whereAccount(filter);
  const columns = `id, account_id, request_id, upstream_id, model, ${usageColumns}, usage_source, state, cost,
    free_units, is_late`;
  const rows = await books.rows(`SELECT * FROM ${attemptRows(columns, where)} ORDER BY id`, [
    ...values,
    ...values,
  ]);
  return rows.map((row) => ({
    transactionId: text(row, "id"),
    accountId: text(row, "account_id"),
    requestId: text(row, "request_id"),
    upstreamId: text(row, "upstream_id"),
    model: text(row, "model"),
    usage: usageOf(row),
    source: sources[Number(figure(row, "usage_source"))] ?? "?",
    state: states[Number(figure(row, "state"))] ?? "?",
    cost: figure(row, "cost"),
    isFree: figure(row, "free_units") > 0n,
    isLate: figure(row, "is_late") === 1n,
  }));
}

/** Reads how often which usage was charged by which price, with the price itself. */
export async function readChargeGroups(
  books: Books,
  filter: AccountFilter,
): Promise<readonly ChargeGroup[]> {
  const { where, values } = whereAccount(filter);
  const columns = `price_snapshot_id, model, ${usageColumns}, usage_source, free_units, cost`;
  const rows = await books.rows(
    `SELECT price_snapshot_id, model, ${usageColumns}, usage_source, free_units > 0 AS is_free, COUNT(*) AS charges,
       MIN(cost) AS least, MAX(cost) AS most
     FROM ${attemptRows(columns, where)}
     GROUP BY price_snapshot_id, model, ${usageColumns}, usage_source, free_units > 0`,
    [...values, ...values],
  );
  const snapshots = new Map<string, CostTerms>();
  for (const row of await books.rows("SELECT id, content FROM price_snapshot")) {
    snapshots.set(text(row, "id"), JSON.parse(text(row, "content")));
  }
  return rows.map((row) => ({
    terms: snapshots.get(text(row, "price_snapshot_id")),
    model: text(row, "model"),
    usage: usageOf(row),
    source: sources[Number(figure(row, "usage_source"))] ?? "?",
    isFree: figure(row, "is_free") === 1n,
    count: figure(row, "charges"),
    leastCost: figure(row, "least"),
    mostCost: figure(row, "most"),
  }));
}

function usageOf(row: Row): BilledUsage {
  const columns = usageColumns.split(", ");
  const entries = bucketNames.map((bucket, at) => [bucket, figure(row, columns[at] ?? "")]);
  return asUsage(Object.fromEntries(entries));
}

/** Sound because the record was made of every bucket's name. */
function asUsage(record: Record<string, bigint>): BilledUsage {
  return record as BilledUsage;
}
