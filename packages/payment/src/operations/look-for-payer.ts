import { AppError } from "@farebox/kit/app-error";
import type { Payment } from "../domain/payment.ts";
import type { MethodSetup } from "../domain/saved-method.ts";
import { claimLook } from "../store/claim-look.ts";
import { readPayment } from "../store/payment-store.ts";
import { readSetup } from "../store/setup-store.ts";
import { reopenPayment } from "./advance-payment.ts";
import { advanceSetup } from "./advance-setup.ts";
import type { PaymentDeps } from "./payment-deps.ts";

/** However often a page is opened, the provider is asked no more often for it. */
const pauseMs = 2_000;

/** How a payment stands, for the payer's page: asked at the provider now and then. Errors: PAYMENT_NOT_FOUND. */
export async function lookAtPayment(deps: PaymentDeps, id: string): Promise<Payment> {
  const look = { id, nowMs: deps.clock.nowMs(), pauseMs };
  if (await claimLook(deps.pool, "payment", look)) await reopenPayment(deps, id);
  const payment = await readPayment(deps.pool, { id });
  if (payment === undefined) throw new AppError("PAYMENT_NOT_FOUND");
  return payment;
}

/** Likewise for a method that is being saved. Errors: PAYMENT_METHOD_NOT_FOUND. */
export async function lookAtSetup(deps: PaymentDeps, id: string): Promise<MethodSetup> {
  const look = { id, nowMs: deps.clock.nowMs(), pauseMs };
  if (await claimLook(deps.pool, "method_setup", look)) return advanceSetup(deps, id);
  const setup = await readSetup(deps.pool, { id });
  if (setup === undefined) throw new AppError("PAYMENT_METHOD_NOT_FOUND");
  return setup;
}
