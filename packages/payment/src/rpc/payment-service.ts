import { timestampMs } from "@bufbuild/protobuf/wkt";
import { AppError, fieldError } from "@farebox/kit/app-error";
import { actsForAnyAccount, type RpcImpl } from "@farebox/kit/rpc-context";
import { PaymentState } from "@farebox/proto/farebox/payment/v1/payment";
import type { PaymentService } from "@farebox/proto/farebox/payment/v1/payment_service";
import {
  kindsFor,
  type MethodCapabilities,
  methodCapabilities,
  payableKinds,
} from "../domain/method-capabilities.ts";
import { type Payment, paymentStates } from "../domain/payment.ts";
import { advancePayment, reopenPayment } from "../operations/advance-payment.ts";
import { createPayment } from "../operations/create-payment.ts";
import type { PaymentDeps } from "../operations/payment-deps.ts";
import {
  getPayment,
  pageOfPayments,
  pageOfRefunds,
  type ReadDeps,
  readTotals,
} from "../operations/read-payments.ts";
import { refundPayment } from "../operations/refund-payment.ts";
import { autoRecharges } from "./auto-recharge-calls.ts";
import {
  fromId,
  fromMethod,
  fromMethodId,
  toProtoCapabilities,
  toProtoPayment,
  toProtoRefund,
} from "./convert-payment.ts";
import { savedMethods } from "./saved-method-calls.ts";

export type PaymentServiceDeps = PaymentDeps &
  ReadDeps & {
    /** Where to send transfers, for people. */
    readonly instructions: string;
  };

/** `PaymentService`. */
export function paymentService(deps: PaymentServiceDeps): RpcImpl<typeof PaymentService> {
  return { ...payments(deps), ...refunds(deps), ...savedMethods(deps), ...autoRecharges(deps) };
}

function payments(deps: PaymentServiceDeps) {
  const answer = async (payment: Payment) =>
    toProtoPayment(payment, await readTotals(deps.pool, payment.id));
  return {
    createPayment: async (req) => {
      if (req.amount === undefined) throw fieldError("amount", "is missing");
      const { paymentOrderId: orderId, accountId, subject, clientIp, returnUrl, amount } = req;
      if (amount.currencyCode === "") throw fieldError("amount.currency_code", "is missing");
      if (amount.amountNanos <= 0n) throw fieldError("amount.amount_nanos", "must be above zero");
      const payment = await createPayment(deps, {
        ...{ orderId, accountId, subject, clientIp, returnUrl },
        amount: amount.amountNanos,
        currencyCode: amount.currencyCode,
        method: fromMethod(req.method),
        paymentMethodId: fromMethodId(req.paymentMethodId),
        expireTimeMs: req.expireTime === undefined ? undefined : timestampMs(req.expireTime),
      });
      const { paymentUrl, paymentCode } = payment;
      const isTransfer = paymentCode !== "";
      return {
        ...{ payment: await answer(payment), paymentUrl, paymentCode },
        ...(isTransfer ? { paymentParams: { instructions: deps.instructions } } : {}),
      };
    },
    getPayment: async ({ paymentId, accountId }) => {
      const id = fromId("pay", paymentId, "payment_id");
      return { payment: await answer(await getPayment(deps.pool, { id, accountId })) };
    },
    listPayments: async ({ accountId, paymentOrderId: orderId, paymentCode, state, ...page }) => {
      const word = paymentStates.find((it) => PaymentState[it] === state);
      const filter = { accountId, orderId, paymentCode, state: word };
      const { rows, nextPageToken } = await pageOfPayments(deps, filter, page);
      return { payments: await Promise.all(rows.map(answer)), nextPageToken };
    },
    refreshPayment: async ({ paymentId, accountId }) => {
      const id = fromId("pay", paymentId, "payment_id");
      await getPayment(deps.pool, { id, accountId });
      await reopenPayment(deps, id);
      const { payment, hasSpoken } = await advancePayment(deps, id);
      if (!hasSpoken) throw new AppError("PAYMENT_UNAVAILABLE", undefined, { retryAfterMs: 1000 });
      return { payment: await answer(payment) };
    },
    listPaymentMethodKinds: async ({ currencyCode }) => {
      const takes = ({ kind }: MethodCapabilities) =>
        currencyCode === "" || kindsFor(deps.kinds, kind, currencyCode).length > 0;
      const kinds = payableKinds.filter(
        (name) => deps.kinds.includes(name) && takes(methodCapabilities[name]),
      );
      return {
        kinds: kinds.map((name) => toProtoCapabilities(methodCapabilities[name])),
        isTest: deps.provider.isTest,
      };
    },
  } satisfies Partial<RpcImpl<typeof PaymentService>>;
}

function refunds(deps: PaymentServiceDeps) {
  return {
    refundPayment: async (req, { caller }) => {
      if (req.allowDebt && !actsForAnyAccount(caller)) {
        throw new AppError("PERMISSION_DENIED", undefined, {
          metadata: { scope: "ADMIN", field: "allow_debt" },
        });
      }
      const { requestId, accountId, allowDebt, amount: money } = req;
      if (money !== undefined && money.amountNanos <= 0n) {
        throw fieldError("amount.amount_nanos", "must be above zero");
      }
      const amount = money && { nanos: money.amountNanos, currencyCode: money.currencyCode };
      const paymentId = fromId("pay", req.paymentId, "payment_id");
      const refund = await refundPayment(deps, {
        ...{ requestId, paymentId, accountId, amount, allowDebt },
      });
      return { refund: toProtoRefund(refund) };
    },
    listRefunds: async ({ accountId, paymentId, ...page }) => {
      const filter = {
        accountId,
        paymentId: paymentId === "" ? "" : fromId("pay", paymentId, "payment_id"),
      };
      const { rows, nextPageToken } = await pageOfRefunds(deps, filter, page);
      return { refunds: rows.map(toProtoRefund), nextPageToken };
    },
  } satisfies Partial<RpcImpl<typeof PaymentService>>;
}
