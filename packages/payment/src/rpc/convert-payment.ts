import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { fieldError } from "@farebox/kit/app-error";
import { parseId } from "@farebox/kit/ids";
import type { Nanos } from "@farebox/kit/money";
import { PaymentMethodKind } from "@farebox/proto/farebox/common/v1/payment_method_kind";
import {
  type AutoRechargeSchema,
  type PaymentMethodCapabilitiesSchema,
  type PaymentMethodSchema,
  type PaymentSchema,
  PaymentState,
  RefundOrigin,
  type RefundSchema,
  RefundState,
} from "@farebox/proto/farebox/payment/v1/payment";
import type { AutoRecharge } from "../domain/auto-recharge.ts";
import type { MethodCapabilities, MethodKind } from "../domain/method-capabilities.ts";
import type { Payment } from "../domain/payment.ts";
import type { Refund } from "../domain/refund.ts";
import type { ListedMethod } from "../operations/read-methods.ts";
import type { PaymentTotals } from "../operations/read-payments.ts";

/** Reads an id as 32 hex digits. Errors: INVALID_ARGUMENT. */
export function fromId(prefix: string, text: string, field: string): string {
  const id = parseId(prefix, text);
  if (id === undefined) throw fieldError(field, `must be ${prefix}_ and 32 hex digits`);
  return id.toString("hex");
}

export function toProtoPayment(
  payment: Payment,
  totals: PaymentTotals,
): MessageInitShape<typeof PaymentSchema> {
  const { currencyCode, expireTimeMs, paidTimeMs, sessionId, intentId } = payment;
  const method = payment.paidMethod === "UNSPECIFIED" ? payment.method : payment.paidMethod;
  return {
    id: `pay_${payment.id}`,
    paymentOrderId: payment.orderId,
    accountId: payment.accountId,
    amount: { amountNanos: payment.amount, currencyCode },
    method: PaymentMethodKind[method],
    state: PaymentState[payment.state],
    provider: payment.provider,
    providerIds: {
      ...(sessionId === "" ? {} : { checkout_session: sessionId }),
      ...(intentId === "" ? {} : { payment_intent: intentId }),
    },
    isTest: payment.isTest,
    paymentUrl: payment.paymentUrl,
    paymentCode: payment.paymentCode,
    declineCode: payment.declineCode,
    refunded: { amountNanos: totals.refunded, currencyCode },
    disputed: { amountNanos: totals.disputed, currencyCode },
    createTime: timestampFromMs(payment.createTimeMs),
    ...(expireTimeMs === undefined ? {} : { expireTime: timestampFromMs(expireTimeMs) }),
    ...(paidTimeMs === undefined ? {} : { paidTime: timestampFromMs(paidTimeMs) }),
  };
}

export function toProtoRefund(refund: Refund): MessageInitShape<typeof RefundSchema> {
  return {
    id: `rfd_${refund.id}`,
    paymentId: `pay_${refund.paymentId}`,
    accountId: refund.accountId,
    amount: { amountNanos: refund.amount, currencyCode: refund.currencyCode },
    state: RefundState[refund.state],
    origin: RefundOrigin[refund.origin],
    providerRefundId: refund.providerRefundId,
    failureReason: refund.failureReason,
    createTime: timestampFromMs(refund.createTimeMs),
  };
}

export function toProtoMethod({
  method,
  isDefault,
}: ListedMethod): MessageInitShape<typeof PaymentMethodSchema> {
  const { accountId, brand, last4, expireMonth, expireYear } = method;
  return {
    id: `pmt_${method.id}`,
    ...{ accountId, brand, last4, expireMonth, expireYear, isDefault },
    kind: PaymentMethodKind[method.kind],
    createTime: timestampFromMs(method.createTimeMs),
  };
}

export function toProtoAutoRecharge(
  setting: AutoRecharge,
): MessageInitShape<typeof AutoRechargeSchema> {
  const { accountId, currencyCode, limitPerMonth, nextAttemptMs, paymentMethodId } = setting;
  const money = (amountNanos: Nanos) => ({ amountNanos, currencyCode });
  return {
    accountId,
    enabled: setting.isEnabled,
    threshold: money(setting.threshold),
    amount: money(setting.amount),
    paymentMethodId: paymentMethodId === "" ? "" : `pmt_${paymentMethodId}`,
    ...(limitPerMonth === undefined ? {} : { limitPerMonth: money(limitPerMonth) }),
    attemptsPerDay: setting.attemptsPerDay,
    failedAttempts: setting.failedAttempts,
    ...(nextAttemptMs === undefined ? {} : { nextAttemptTime: timestampFromMs(nextAttemptMs) }),
    disabledReason: setting.disabledReason,
  };
}

export function toProtoCapabilities(
  able: MethodCapabilities,
): MessageInitShape<typeof PaymentMethodCapabilitiesSchema> {
  const { kind, currencyCodes, ...can } = able;
  return {
    ...can,
    kind: PaymentMethodKind[kind],
    currencyCodes: [...currencyCodes],
  };
}

/** Reads the id of a saved method; empty stays empty. Errors: INVALID_ARGUMENT. */
export function fromMethodId(text: string, field = "payment_method_id"): string {
  return text === "" ? "" : fromId("pmt", text, field);
}

/** The kind that the contract's number stands for. */
export function fromMethod(kind: PaymentMethodKind): MethodKind {
  const names: readonly MethodKind[] = ["CARD", "ALIPAY", "WECHAT_PAY", "BANK_TRANSFER"];
  return names.find((name) => PaymentMethodKind[name] === kind) ?? "UNSPECIFIED";
}
