import { AppError, fieldError } from "@farebox/kit/app-error";
import type { RpcContext, RpcImpl } from "@farebox/kit/rpc-context";
import type {
  BillingService,
  CheckQuotaRequest,
} from "@farebox/proto/farebox/billing/v1/billing_service";
import type { LeaseAsk } from "../domain/grant-plan.ts";
import { batchCheckBalance } from "../operations/batch-check-balance.ts";
import type { BatchReportDeviceUsageDeps } from "../operations/batch-report-device-usage.ts";
import { checkBalance } from "../operations/check-balance.ts";
import { checkQuota } from "../operations/check-quota.ts";
import { type DeductQuotaDeps, deductQuota } from "../operations/deduct-quota.ts";
import { releaseQuota } from "../operations/release-quota.ts";
import { type BatchCheckQuotaMethodDeps, batchCheckQuotaMethod } from "./batch-check-quota.ts";
import { toProtoBalance } from "./convert-account.ts";
import { askFault, fromAsk, leaseHex, toProtoAnswer } from "./convert-ask.ts";
import {
  finalTotalOf,
  fromDeductQuota,
  requireCurrency,
  toChargeResult,
} from "./convert-charge.ts";
import { toProtoLease } from "./convert-lease.ts";
import { toMoney } from "./convert-money.ts";
import { deviceUsageMethods, deviceUsageUnvalidated } from "./device-usage-methods.ts";
import { ownAccount } from "./own-account.ts";
import { type RechargeMethodsDeps, rechargeMethods } from "./recharge-methods.ts";

type Impl = RpcImpl<typeof BillingService>;

export type BillingServiceDeps = BatchCheckQuotaMethodDeps &
  DeductQuotaDeps &
  BatchReportDeviceUsageDeps &
  Omit<RechargeMethodsDeps, "currencyOf"> & {
    readonly settleUsage: Impl["settleUsage"];
    readonly quoteUsage: Impl["quoteUsage"];
  };

/** Methods that check their own requests: validation by the contract would refuse a whole call for one bad part of it. */
export const billingServiceUnvalidated = [
  ...(["settleUsage", "deductQuota", "batchCheckQuota"] as const),
  ...deviceUsageUnvalidated,
] as const;

/** `BillingService`: reserves money before work and charges it after. */
export function billingService(deps: BillingServiceDeps): Impl {
  return {
    checkQuota: async (req, ctx) => {
      const mayCreateAccount = ctx.caller.kind === "service";
      const answer = await checkQuota(deps, { ask: readAsk(req, ctx), mayCreateAccount });
      return toProtoAnswer(answer, await currencyOf(deps, req.accountId));
    },
    batchCheckQuota: batchCheckQuotaMethod(deps),
    deductQuota: async (req) => {
      const input = fromDeductQuota(req);
      requireCurrency(req.finalTotal, await currencyOf(deps, req.accountId));
      const { outcomes, balance, currencyCode } = await deductQuota(deps, input);
      return {
        results: outcomes.map((outcome) => toChargeResult(outcome, currencyCode)),
        balance: toProtoBalance(balance, currencyCode),
      };
    },
    releaseQuota: async (req) => {
      const { accountId } = req;
      const leaseId = leaseHex(req.leaseId);
      if (leaseId === undefined) throw fieldError("lease_id", "must be lse_ and 32 hex digits");
      const finalTotal = finalTotalOf(req.finalTotal);
      const currencyCode = await currencyOf(deps, accountId, "LEASE_NOT_FOUND");
      requireCurrency(req.finalTotal, currencyCode);
      const { lease, wallet } = await releaseQuota(deps, { accountId, leaseId, finalTotal });
      return {
        lease: toProtoLease(lease, { currencyCode, holders: wallet.openLeases, isFinal: false }),
        released: toMoney(lease.released, currencyCode),
        balance: toProtoBalance(wallet, currencyCode),
      };
    },
    checkBalance: async (req, ctx) => {
      const accountId = ownAccount(ctx.caller, req.accountId);
      const { balance, currencyCode } = await checkBalance(deps, accountId);
      return { balance: toProtoBalance(balance, currencyCode) };
    },
    batchCheckBalance: async ({ accountIds }) => {
      const balances = await batchCheckBalance(deps, accountIds);
      return {
        balances: balances.map(({ accountId, balance, currencyCode }) => ({
          accountId,
          balance: toProtoBalance(balance, currencyCode),
        })),
      };
    },
    ...rechargeMethods({ ...deps, currencyOf: (accountId) => currencyOf(deps, accountId) }),
    ...deviceUsageMethods(deps),
    settleUsage: deps.settleUsage,
    quoteUsage: deps.quoteUsage,
  };
}

function readAsk(req: CheckQuotaRequest, ctx: RpcContext): LeaseAsk {
  const fault = askFault(req);
  if (fault !== undefined) throw fieldError(fault, "is not valid");
  if (req.gatewayId === "") return fromAsk(req, { gatewayId: "", gatewayEpoch: 0n });
  if (ctx.caller.kind !== "service") throw fieldError("gateway_id", "is for gateways only");
  const gatewayId = req.gatewayId.slice("gtw_".length);
  return fromAsk(req, { gatewayId, gatewayEpoch: req.gatewayEpoch });
}

async function currencyOf(
  deps: BillingServiceDeps,
  accountId: string,
  reason: "ACCOUNT_NOT_FOUND" | "LEASE_NOT_FOUND" = "ACCOUNT_NOT_FOUND",
): Promise<string> {
  await deps.facts.load([accountId]);
  const facts = deps.facts.get(accountId);
  if (facts === undefined) throw new AppError(reason);
  return facts.currencyCode;
}
