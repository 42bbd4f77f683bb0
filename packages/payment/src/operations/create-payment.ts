import { randomBytes } from "node:crypto";
import { AppError } from "@farebox/kit/app-error";
import { newUuid } from "@farebox/kit/ids";
import { isDuplicate } from "@farebox/kit/mysql";
import {
  capabilitiesOf,
  kindsFor,
  methodCapabilities,
  type ProviderName,
} from "../domain/method-capabilities.ts";
import { isSameOrder, type Payment, type PaymentOrder } from "../domain/payment.ts";
import { transferCode } from "../domain/transfer.ts";
import { insertPayment, readPayment } from "../store/payment-store.ts";
import { advancePayment } from "./advance-payment.ts";
import type { PaymentDeps } from "./payment-deps.ts";
import { requireMethod } from "./read-methods.ts";
import { requirePayable } from "./require-payable.ts";

/**
 * Begins to collect the money of an order. The intent is kept before the provider is asked, under a key of ours, so that
 * whatever dies in between, there is one payment for an order. Asked again with the same content it answers the payment as
 * it stands.
 *
 * A saved method is charged at once, without the payer; what it declines is a payment that FAILED.
 *
 * Errors: AMOUNT_NOT_PAYABLE, PAYMENT_METHOD_UNSUITABLE, PAYMENT_METHOD_NOT_FOUND, REQUEST_ID_REUSED for other content, PAYMENT_UNAVAILABLE when the
 * provider did not say what became of it (ask again).
 */
export async function createPayment(deps: PaymentDeps, order: PaymentOrder): Promise<Payment> {
  const known = await readPayment(deps.pool, { orderId: order.orderId });
  const payment = known ?? (await insertNew(deps, order));
  if (!isSameOrder(payment, order)) throw new AppError("REQUEST_ID_REUSED");
  const isBegun = payment.state !== "CREATED" && payment.state !== "UNKNOWN";
  if (isBegun) return payment;
  const { payment: advanced, hasSpoken } = await advancePayment(deps, payment.id);
  if (!hasSpoken) throw new AppError("PAYMENT_UNAVAILABLE", undefined, { retryAfterMs: 1000 });
  return advanced;
}

async function insertNew(deps: PaymentDeps, order: PaymentOrder): Promise<Payment> {
  const minor = requirePayable(order.amount, order.currencyCode);
  const provider = await providerFor(deps, order);
  const payment: Payment = {
    ...order,
    id: newUuid().toString("hex"),
    provider,
    paymentCode: provider === "manual" ? transferCode(randomBytes(10)) : "",
    state: "CREATED",
    minor,
    paidMethod: "UNSPECIFIED",
    ...{ sessionId: "", intentId: "", isTest: deps.provider.isTest, paymentUrl: "" },
    ...{ declineCode: "", arrived: undefined, arrivedCurrency: "", isTold: false, attempts: 0 },
    createTimeMs: deps.clock.nowMs(),
    paidTimeMs: undefined,
  };
  try {
    await insertPayment(deps.pool, payment);
    return payment;
  } catch (error) {
    if (!isDuplicate(error)) throw error;
    const other = await readPayment(deps.pool, { orderId: order.orderId });
    if (other === undefined) throw error;
    return other;
  }
}

/** Who collects, by what is switched on and by what the saved method can do. */
async function providerFor(deps: PaymentDeps, order: PaymentOrder): Promise<ProviderName> {
  const { accountId, method: asked, currencyCode, paymentMethodId: id } = order;
  const saved = id === "" ? undefined : await requireMethod(deps, { accountId, id });
  const kind = saved?.kind ?? asked;
  const [first] = kindsFor(deps.kinds, kind, currencyCode);
  const isOther = saved !== undefined && asked !== "UNSPECIFIED" && asked !== saved.kind;
  if (first === undefined || isOther) throw unsuitable("method");
  if (saved !== undefined && !capabilitiesOf(kind)?.offSession)
    throw unsuitable("payment_method_id");
  return methodCapabilities[first].provider;
}

function unsuitable(field: string): AppError {
  return new AppError("PAYMENT_METHOD_UNSUITABLE", undefined, { metadata: { field } });
}
