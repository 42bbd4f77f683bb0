import { AppError } from "@farebox/kit/app-error";
import type { Payment } from "../domain/payment.ts";
import type { ObjectOwner } from "../providers/payment-provider.ts";
import { readPayment } from "../store/payment-store.ts";
import { reopenPayment } from "./advance-payment.ts";
import type { PaymentDeps } from "./payment-deps.ts";

/**
 * The payment that a provider's payment intent collects for, once Billing knows of it: money can only be taken back from
 * an order that is credited, and word of a refund or a dispute may come before word of the payment itself. FOREIGN when
 * it is something else that this account of the provider's collects for, undefined when nobody knows it. Errors: PAYMENT_UNAVAILABLE while the provider or Billing does not answer; repeat later.
 */
export async function toldPaymentOf(
  deps: PaymentDeps,
  intentId: string,
): Promise<Payment | "FOREIGN" | undefined> {
  if (intentId === "") return undefined;
  const known = await readPayment(deps.pool, { intentId });
  if (known?.isTold && known.state === "PAID") return known;
  const owner = known === undefined ? await ownerOf(deps, intentId) : undefined;
  if (owner?.kind === "FOREIGN") return "FOREIGN";
  const id = known?.id ?? (owner?.kind === "PAYMENT" ? owner.paymentId : "");
  if (id === "" || !(await readPayment(deps.pool, { id }))) return undefined;
  await reopenPayment(deps, id);
  const payment = await readPayment(deps.pool, { id });
  if (!payment?.isTold) throw new AppError("PAYMENT_UNAVAILABLE");
  return payment;
}

/** Whose an object of the provider's is. Errors: PAYMENT_UNAVAILABLE. */
export async function ownerOf(
  { provider }: Pick<PaymentDeps, "provider">,
  objectId: string,
): Promise<ObjectOwner> {
  const answer = await provider.ownerOf(objectId);
  if (answer.kind === "UNKNOWN") throw new AppError("PAYMENT_UNAVAILABLE");
  return answer.kind === "REFUSED" ? { kind: "MISSING" } : answer.value;
}
