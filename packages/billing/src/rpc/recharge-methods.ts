import { fieldError } from "@farebox/kit/app-error";
import { actsForAnyAccount, type RpcImpl } from "@farebox/kit/rpc-context";
import type { BillingService } from "@farebox/proto/farebox/billing/v1/billing_service";
import { RechargeState, ReversalKind } from "@farebox/proto/farebox/billing/v1/recharge";
import { PaymentMethodKind } from "@farebox/proto/farebox/common/v1/payment_method_kind";
import { paymentMethodKinds, rechargeStates } from "../domain/recharge-order.ts";
import { reversalKinds } from "../domain/recharge-reversal.ts";
import { cancelRecharge } from "../operations/cancel-recharge.ts";
import { type ConfirmRechargeDeps, confirmRecharge } from "../operations/confirm-recharge.ts";
import { getRechargeOrder } from "../operations/get-recharge-order.ts";
import {
  type ListRechargeOrdersDeps,
  listRechargeOrders,
} from "../operations/list-recharge-orders.ts";
import { type RechargeDeps, recharge } from "../operations/recharge.ts";
import { reinstateRecharge } from "../operations/reinstate-recharge.ts";
import { reserveRefund } from "../operations/reserve-refund.ts";
import { reverseRecharge } from "../operations/reverse-recharge.ts";
import { fromMoney } from "./convert-money.ts";
import {
  fromOrderId,
  fromStatedMoney,
  toProtoOrder,
  toProtoReversal,
  toProtoReversed,
} from "./convert-recharge.ts";
import { fromTimestamp } from "./convert-time.ts";
import { wordOf } from "./convert-word.ts";
import { ownAccount } from "./own-account.ts";

export type RechargeMethodsDeps = RechargeDeps &
  ConfirmRechargeDeps &
  ListRechargeOrdersDeps & {
    /** Errors: ACCOUNT_NOT_FOUND. */
    readonly currencyOf: (accountId: string) => Promise<string>;
  };

type Methods<Names extends keyof RpcImpl<typeof BillingService>> = Pick<
  RpcImpl<typeof BillingService>,
  Names
>;

/** The methods of `BillingService` that money is paid in with, and leaves again. */
export function rechargeMethods(deps: RechargeMethodsDeps) {
  return { ...payerMethods(deps), ...paymentMethods(deps), ...refundMethods(deps) };
}

/** For whoever pays. */
function payerMethods(
  deps: RechargeMethodsDeps,
): Methods<"recharge" | "getRechargeOrder" | "listRechargeOrders"> {
  return {
    recharge: async (req, { caller, signal }) => {
      const { requestId, returnUrl, paymentMethodId, clientIp } = req;
      if (req.amount === undefined) throw fieldError("amount", "is missing");
      const accountId = ownAccount(caller, req.accountId);
      const amount = fromMoney(req.amount, await deps.currencyOf(accountId), "amount");
      const method = wordOf(paymentMethodKinds, PaymentMethodKind, req.method) ?? "UNSPECIFIED";
      const given = { requestId, returnUrl, paymentMethodId, clientIp };
      const { order, payment } = await recharge(
        deps,
        { ...given, accountId, amount, method },
        signal,
      );
      const isOpen = order.state === "PENDING";
      return {
        order: toProtoOrder(order),
        paymentUrl: isOpen ? (payment?.paymentUrl ?? "") : "",
        paymentCode: isOpen ? (payment?.paymentCode ?? "") : "",
        paymentParams: isOpen ? { ...payment?.paymentParams } : {},
      };
    },
    getRechargeOrder: async (req, { caller }) => {
      const found = await getRechargeOrder(deps, {
        accountId: actsForAnyAccount(caller) ? req.accountId : ownAccount(caller, req.accountId),
        orderId: fromOrderId(req.paymentOrderId),
      });
      return {
        order: toProtoOrder(found.order),
        reversals: found.reversals.map((reversal) => toProtoReversal(found.order, reversal)),
      };
    },
    listRechargeOrders: async (req, { caller }) => {
      const { pageSize, pageToken } = req;
      const startMs = fromTimestamp(req.startTime, "start_time");
      const endMs = fromTimestamp(req.endTime, "end_time");
      if (startMs !== undefined && endMs !== undefined && endMs <= startMs) {
        throw fieldError("end_time", "must be after start_time");
      }
      const page = await listRechargeOrders(deps, {
        accountId: actsForAnyAccount(caller) ? req.accountId : ownAccount(caller, req.accountId),
        state: wordOf(rechargeStates, RechargeState, req.state),
        ...{ startMs, endMs, pageSize, pageToken },
      });
      return { orders: page.rows.map(toProtoOrder), nextPageToken: page.nextPageToken };
    },
  };
}

/** For Payment: what became of a payment. */
function paymentMethods(deps: RechargeMethodsDeps): Methods<"confirmRecharge" | "cancelRecharge"> {
  return {
    confirmRecharge: async (req) => {
      const { amount, currencyCode } = fromStatedMoney(req.amount);
      if (currencyCode === "") throw fieldError("amount.currency_code", "must be stated");
      const payment = { paymentId: req.paymentId, amount, currencyCode };
      const order = await confirmRecharge(deps, fromOrderId(req.paymentOrderId), payment);
      return { order: toProtoOrder(order) };
    },
    cancelRecharge: async (req) => {
      const order = await cancelRecharge(deps, {
        orderId: fromOrderId(req.paymentOrderId),
        paymentId: req.paymentId,
      });
      return { order: toProtoOrder(order) };
    },
  };
}

/** For Payment: money that leaves an order again. */
function refundMethods(
  deps: RechargeMethodsDeps,
): Methods<"reserveRefund" | "reverseRecharge" | "reinstateRecharge"> {
  return {
    reserveRefund: async ({ paymentOrderId, reversalId, amount }) => {
      const orderId = fromOrderId(paymentOrderId);
      const money = fromStatedMoney(amount);
      return toProtoReversed(await reserveRefund(deps, { orderId, reversalId, money }));
    },
    reverseRecharge: async (req) => {
      const kind = wordOf(reversalKinds, ReversalKind, req.kind);
      if (kind === undefined) throw fieldError("kind", "must be a kind of reversal");
      const orderId = fromOrderId(req.paymentOrderId);
      const { reversalId } = req;
      const money = fromStatedMoney(req.amount);
      return toProtoReversed(await reverseRecharge(deps, { orderId, reversalId, kind, money }));
    },
    reinstateRecharge: async ({ paymentOrderId, reversalId }) => {
      const orderId = fromOrderId(paymentOrderId);
      return toProtoReversed(await reinstateRecharge(deps, { orderId, reversalId }));
    },
  };
}
