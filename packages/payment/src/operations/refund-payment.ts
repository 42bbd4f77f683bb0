import { AppError } from "@farebox/kit/app-error";
import { newUuid } from "@farebox/kit/ids";
import { formatNanos, type Nanos } from "@farebox/kit/money";
import { inTransaction, isDuplicate, type PoolConnection } from "@farebox/kit/mysql";
import { capabilitiesOf } from "../domain/method-capabilities.ts";
import { toMinor } from "../domain/minor-units.ts";
import type { Payment } from "../domain/payment.ts";
import type { Refund } from "../domain/refund.ts";
import { sumDisputes } from "../store/dispute-store.ts";
import { lockPayment } from "../store/payment-store.ts";
import { insertRefund, readRefund, sumRefunds } from "../store/refund-store.ts";
import { advanceRefund } from "./advance-refund.ts";
import type { PaymentDeps } from "./payment-deps.ts";

export type RefundPaymentInput = {
  readonly requestId: string;
  readonly paymentId: string;
  /** Empty for any account: for callers who act for all of them. */
  readonly accountId: string;
  /** Undefined for all that is left. */
  readonly amount: { readonly nanos: Nanos; readonly currencyCode: string } | undefined;
  /** Whether what is spent may become debt. */
  readonly allowDebt: boolean;
};

const dayMs = 86_400_000;

/**
 * Pays money of a payment back. The refund is kept before anything else is done, under the payment's lock, so that refunds
 * never exceed what was paid; then money is set aside at Billing, the provider is asked, and Billing is told. Repeated with
 * the same content it answers the refund as it stands, and goes on with it.
 *
 * Errors: PAYMENT_NOT_FOUND, PAYMENT_WRONG_STATE, CURRENCY_MISMATCH, AMOUNT_NOT_PAYABLE, REFUND_EXCEEDS_PAID,
 * REFUND_EXCEEDS_UNSPENT, PAYMENT_METHOD_UNSUITABLE when it is too late, REQUEST_ID_REUSED, PAYMENT_UNAVAILABLE.
 */
export async function refundPayment(deps: PaymentDeps, input: RefundPaymentInput): Promise<Refund> {
  const refund = await keepRefund(deps, input);
  const { refund: advanced, refusal } = await advanceRefund(deps, refund.id);
  if (refusal !== undefined) throw refusal;
  return advanced;
}

async function keepRefund(deps: PaymentDeps, input: RefundPaymentInput): Promise<Refund> {
  const { paymentId, requestId } = input;
  try {
    return await inTransaction(deps.pool, async (tx) => {
      const payment = await requirePayment(tx, input);
      const known = await readRefund(tx, { paymentId, requestId });
      if (known !== undefined) return requireSame(known, input);
      const refund = await decideRefund(deps, tx, payment, input);
      await insertRefund(tx, refund);
      return refund;
    });
  } catch (error) {
    if (!isDuplicate(error)) throw error;
    const known = await readRefund(deps.pool, { paymentId, requestId });
    if (known === undefined) throw error;
    return requireSame(known, input);
  }
}

async function requirePayment(tx: PoolConnection, input: RefundPaymentInput): Promise<Payment> {
  const payment = await lockPayment(tx, { id: input.paymentId });
  const isTheirs = input.accountId === "" || payment?.accountId === input.accountId;
  if (payment === undefined || !isTheirs) throw new AppError("PAYMENT_NOT_FOUND");
  return payment;
}

/** A request that left the amount open has asked for what was then left, and repeats it by leaving it open again. */
function requireSame(known: Refund, { amount, allowDebt }: RefundPaymentInput): Refund {
  const isSameAmount =
    amount === undefined ||
    (amount.nanos === known.amount && ["", known.currencyCode].includes(amount.currencyCode));
  if (isSameAmount && allowDebt === (known.origin === "OPERATOR")) return known;
  throw new AppError("REQUEST_ID_REUSED");
}

async function decideRefund(
  deps: PaymentDeps,
  tx: PoolConnection,
  payment: Payment,
  input: RefundPaymentInput,
): Promise<Refund> {
  const nowMs = deps.clock.nowMs();
  if (payment.state !== "PAID" || !payment.isTold) {
    const metadata = { state: payment.state };
    throw new AppError("PAYMENT_WRONG_STATE", undefined, { metadata });
  }
  requireInTime(payment, nowMs);
  const gone = (await sumRefunds(tx, payment.id)) + (await sumDisputes(tx, payment.id));
  const left = payment.amount - gone;
  const amount = input.amount?.nanos ?? left;
  requireCurrency(payment, input);
  if (amount > left || left <= 0n) {
    const metadata = { refundable: formatNanos(left > 0n ? left : 0n) };
    throw new AppError("REFUND_EXCEEDS_PAID", undefined, { metadata });
  }
  const minor = toMinor(amount, payment.currencyCode);
  if (minor === undefined) {
    const metadata = { field: "amount", maximum: formatNanos(left) };
    throw new AppError("AMOUNT_NOT_PAYABLE", undefined, { metadata });
  }
  return {
    id: newUuid().toString("hex"),
    paymentId: payment.id,
    accountId: payment.accountId,
    orderId: payment.orderId,
    requestId: input.requestId,
    amount,
    currencyCode: payment.currencyCode,
    minor,
    state: "CREATED",
    origin: input.allowDebt ? "OPERATOR" : "CUSTOMER",
    ...{ providerRefundId: "", failureReason: "", told: "NOTHING", attempts: 0 },
    createTimeMs: nowMs,
  };
}

function requireCurrency(payment: Payment, { amount }: RefundPaymentInput): void {
  if (amount === undefined || ["", payment.currencyCode].includes(amount.currencyCode)) return;
  const metadata = { field: "amount.currency_code", expected: payment.currencyCode };
  throw new AppError("CURRENCY_MISMATCH", undefined, { metadata });
}

function requireInTime(payment: Payment, nowMs: number): void {
  const able = capabilitiesOf(payment.paidMethod);
  if (able === undefined || payment.paidTimeMs === undefined) return;
  if (nowMs - payment.paidTimeMs <= able.refundableDays * dayMs) return;
  throw new AppError("PAYMENT_METHOD_UNSUITABLE", undefined, { metadata: { field: "payment_id" } });
}
