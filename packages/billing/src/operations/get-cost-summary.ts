import { AppError, fieldError } from "@farebox/kit/app-error";
import type { Clock } from "@farebox/kit/clock";
import type { Pool } from "@farebox/kit/mysql";
import type { Orm } from "@farebox/kit/orm";
import {
  type CostDimension,
  type CostRow,
  type Granularity,
  summarySpan,
} from "../domain/cost-summary.ts";
import { findAccount } from "../store/account-store.ts";
import { readCostRows } from "../store/cost-summary-reader.ts";

export type GetCostSummaryDeps = {
  readonly orm: Orm;
  readonly pool: Pool;
  readonly clock: Clock;
};

export type CostSummaryInput = {
  /** Empty for all accounts, which only operators may ask for. */
  readonly accountId: string;
  readonly tenantId: string;
  readonly startMs: number | undefined;
  readonly endMs: number | undefined;
  readonly groupBy: readonly CostDimension[];
  readonly granularity: Granularity;
};

/** Sums row by row, and over all rows once per currency. */
export type CostSummary = {
  readonly rows: readonly CostRow[];
  readonly totals: readonly CostRow[];
};

const rowsMax = 10_000;
const currenciesMax = 1_000;

/**
 * Sums cost and usage over whole hours. The totals are of everything that was asked for, also of rows beyond the most that
 * are answered. Errors: ACCOUNT_NOT_FOUND, INVALID_ARGUMENT for an end that is not after the start.
 */
export async function getCostSummary(
  deps: GetCostSummaryDeps,
  input: CostSummaryInput,
): Promise<CostSummary> {
  const { accountId } = input;
  if (accountId !== "" && (await deps.orm.read((em) => findAccount(em, accountId))) === undefined) {
    throw new AppError("ACCOUNT_NOT_FOUND");
  }
  const span = summarySpan({ ...input, nowMs: deps.clock.nowMs() });
  if (span.endMs <= span.startMs) throw fieldError("end_time", "must be after start_time");
  const query = { ...input, ...span };
  const totals = await readCostRows(
    deps.pool,
    { ...query, groupBy: [], granularity: "whole" },
    currenciesMax,
  );
  return { rows: await readCostRows(deps.pool, query, rowsMax), totals };
}
