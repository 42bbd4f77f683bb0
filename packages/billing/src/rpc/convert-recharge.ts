import type { MessageInitShape } from "@bufbuild/protobuf";
import { fieldError } from "@farebox/kit/app-error";
import { formatId, parseId } from "@farebox/kit/ids";
import {
  type RechargeOrderSchema,
  type RechargeReversalSchema,
  RechargeState,
  ReversalKind,
  ReversalState,
} from "@farebox/proto/farebox/billing/v1/recharge";
import type { Money } from "@farebox/proto/farebox/common/v1/money";
import { PaymentMethodKind } from "@farebox/proto/farebox/common/v1/payment_method_kind";
import type { PlacedOrder } from "../domain/recharge-order.ts";
import type { PlacedReversal } from "../domain/recharge-reversal.ts";
import type { ReversedOrder } from "../operations/reserve-refund.ts";
import type { StatedAmount } from "../operations/with-order.ts";
import { toMoney } from "./convert-money.ts";
import { toTimestamp } from "./convert-time.ts";

/** An order's id as the contract spells it. */
export function toOrderId(order: PlacedOrder): string {
  return formatId("rco", Buffer.from(order.id, "hex"));
}

/** Reads an order's id as 32 hex digits. Errors: INVALID_ARGUMENT. */
export function fromOrderId(paymentOrderId: string): string {
  const id = parseId("rco", paymentOrderId);
  if (id === undefined) throw fieldError("payment_order_id", "must be rco_ and 32 hex digits");
  return id.toString("hex");
}

/** Reads an amount together with its currency, which may be left out. Errors: INVALID_ARGUMENT when it is missing. */
export function fromStatedMoney(money: Money | undefined): StatedAmount {
  if (money === undefined) throw fieldError("amount", "is missing");
  return { amount: money.amountNanos, currencyCode: money.currencyCode };
}

export function toProtoOrder(order: PlacedOrder): MessageInitShape<typeof RechargeOrderSchema> {
  const { accountId, currencyCode } = order;
  return {
    paymentOrderId: toOrderId(order),
    accountId,
    amount: toMoney(order.amount, currencyCode),
    method: PaymentMethodKind[order.method],
    state: RechargeState[order.state],
    paymentId: order.paymentId ?? "",
    credited: toMoney(order.credited, currencyCode),
    reversed: toMoney(order.reversed, currencyCode),
    reserved: toMoney(order.reserved, currencyCode),
    paymentUrl: order.state === "PENDING" ? order.paymentUrl : "",
    createTime: toTimestamp(order.createTimeMs),
    expireTime: toTimestamp(order.expireTimeMs),
    creditTime: toTimestamp(order.creditTimeMs),
  };
}

export function toProtoReversal(
  order: PlacedOrder,
  reversal: PlacedReversal,
): MessageInitShape<typeof RechargeReversalSchema> {
  return {
    reversalId: reversal.id,
    paymentOrderId: toOrderId(order),
    kind: ReversalKind[reversal.kind],
    state: ReversalState[reversal.state],
    asked: toMoney(reversal.asked, order.currencyCode),
    amount: toMoney(reversal.amount, order.currencyCode),
  };
}

/** What every RPC that moves a reversal answers. */
export function toProtoReversed({ order, reversal }: ReversedOrder) {
  return { order: toProtoOrder(order), reversal: toProtoReversal(order, reversal) };
}
