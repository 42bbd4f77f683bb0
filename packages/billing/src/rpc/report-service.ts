import { fieldError } from "@farebox/kit/app-error";
import { actsForAnyAccount, type RpcImpl } from "@farebox/kit/rpc-context";
import {
  CostDimension,
  Granularity,
  type ReportService,
} from "@farebox/proto/farebox/billing/v1/report_service";
import type { Granularity as Step } from "../domain/cost-summary.ts";
import { type ExplainChargeDeps, explainCharge } from "../operations/explain-charge.ts";
import { type GetCostSummaryDeps, getCostSummary } from "../operations/get-cost-summary.ts";
import {
  type ListDeviceChargesDeps,
  listDeviceCharges,
} from "../operations/list-device-charges.ts";
import { type ListTransactionsDeps, listTransactions } from "../operations/list-transactions.ts";
import { toProtoDeviceCharge } from "./convert-device.ts";
import { toMoney } from "./convert-money.ts";
import { fromTimestamp } from "./convert-time.ts";
import { toProtoCostRow, toProtoExplanation, toProtoTransaction } from "./convert-transaction.ts";
import { wordOf } from "./convert-word.ts";
import { ownAccount } from "./own-account.ts";

export type ReportServiceDeps = ListTransactionsDeps &
  GetCostSummaryDeps &
  ExplainChargeDeps &
  ListDeviceChargesDeps;

/** What was used, and what it cost. Keys see their own account only. */
export function reportService(deps: ReportServiceDeps): RpcImpl<typeof ReportService> {
  return {
    listTransactions: async (req, { caller }) => {
      const { tenantId, provider, userId, apiKeyId, model, state, requestId } = req;
      const filter = { tenantId, provider, userId, apiKeyId, model, state, requestId };
      const page = await listTransactions(deps, {
        ...filter,
        ...readSpan(req),
        accountId: actsForAnyAccount(caller) ? req.accountId : ownAccount(caller, req.accountId),
        pageSize: req.pageSize,
        pageToken: req.pageToken,
      });
      return {
        transactions: page.rows.map(toProtoTransaction),
        nextPageToken: page.nextPageToken,
      };
    },
    getCostSummary: async (req, { caller }) => {
      const { rows, totals } = await getCostSummary(deps, {
        ...readSpan(req),
        accountId: actsForAnyAccount(caller) ? req.accountId : ownAccount(caller, req.accountId),
        tenantId: req.tenantId,
        groupBy: req.groupBy.map(readDimension),
        granularity: readStep(req.granularity),
      });
      const [total, ...others] = totals;
      return {
        rows: rows.map(toProtoCostRow),
        totals: totals.map(toProtoCostRow),
        ...(total &&
          others.length === 0 && { total: toMoney(total.costNanos, total.currencyCode) }),
      };
    },
    listDeviceCharges: async (req, { caller }) => {
      const page = await listDeviceCharges(deps, {
        accountId: actsForAnyAccount(caller) ? req.accountId : ownAccount(caller, req.accountId),
        allocationId: req.allocationId,
        pageSize: req.pageSize,
        pageToken: req.pageToken,
      });
      return { charges: page.rows.map(toProtoDeviceCharge), nextPageToken: page.nextPageToken };
    },
    explainCharge: async ({ accountId, requestId }, { caller }) => {
      const own = ownAccount(caller, accountId);
      const charges = await explainCharge(deps, { accountId: own, requestId });
      return { charges: charges.map(toProtoExplanation) };
    },
  };
}

function readSpan(req: {
  readonly startTime?: Parameters<typeof fromTimestamp>[0];
  readonly endTime?: Parameters<typeof fromTimestamp>[0];
}) {
  const startMs = fromTimestamp(req.startTime, "start_time");
  const endMs = fromTimestamp(req.endTime, "end_time");
  if (startMs !== undefined && endMs !== undefined && endMs <= startMs) {
    throw fieldError("end_time", "must be after start_time");
  }
  return { startMs, endMs };
}

const dimensionNames = {
  TENANT: "tenant",
  ACCOUNT: "account",
  USER: "user",
  API_KEY: "api_key",
  SERVICE: "service",
  PROVIDER: "provider",
  MODEL: "model",
} as const;

const dimensionWords = [
  "TENANT",
  "ACCOUNT",
  "USER",
  "API_KEY",
  "SERVICE",
  "PROVIDER",
  "MODEL",
] as const satisfies readonly (keyof typeof dimensionNames)[];

function readDimension(number: CostDimension) {
  const word = wordOf(dimensionWords, CostDimension, number);
  if (word === undefined) throw fieldError("group_by", "must be dimensions");
  return dimensionNames[word];
}

const stepNames = {
  UNSPECIFIED: "whole",
  HOUR: "hour",
  DAY: "day",
  MONTH: "month",
} as const satisfies Record<string, Step>;

function readStep(number: Granularity): Step {
  const words = ["UNSPECIFIED", "HOUR", "DAY", "MONTH"] as const;
  return stepNames[wordOf(words, Granularity, number) ?? "UNSPECIFIED"];
}
