import type Stripe from "stripe";
import { type EmulatedState, keep, newStripeId } from "./emulated-state.ts";
import { makeSession } from "./make-objects.ts";
import { badParam } from "./stripe-fault.ts";

const daySeconds = 86_400;
const halfHourSeconds = 1_800;

/** Opens a payment page as `POST /v1/checkout/sessions` does, for `mode=payment`. Throws a StripeFault that names the parameter. */
export function createSession(
  state: EmulatedState,
  params: Readonly<Record<string, any>>,
  publicUrl: string,
): Stripe.Checkout.Session {
  if (params.mode !== "payment") throw badParam("mode", "Only payment is emulated.");
  if (typeof params.success_url !== "string") {
    throw badParam("success_url", "Missing required param: success_url.", "parameter_missing");
  }
  const items: readonly any[] = Object.values(params.line_items ?? {});
  const [first] = items;
  const currency = first?.price_data?.currency;
  if (typeof currency !== "string") {
    throw badParam("line_items", "An item needs price_data.", "parameter_missing");
  }
  const amount = items.reduce(
    (sum, it) => sum + Number(it.price_data?.unit_amount) * Number(it.quantity ?? 1),
    0,
  );
  requireAmount(amount, currency);
  const created = state.now();
  const expiresAt =
    params.expires_at === undefined ? created + daySeconds : Number(params.expires_at);
  if (!(expiresAt >= created + halfHourSeconds && expiresAt <= created + daySeconds)) {
    throw badParam(
      "expires_at",
      "It must be from 30 minutes to 24 hours from now.",
      "parameter_invalid_integer",
    );
  }
  const kinds: readonly string[] = Object.values(params.allowed_payment_method_types ?? ["card"]);
  const id = newStripeId("cs_test");
  return keep(
    state.sessions,
    makeSession({
      ...{ id, amount, currency, kinds, created, expiresAt },
      url: `${publicUrl}/pay/${id}`,
      successUrl: params.success_url,
      cancelUrl: params.cancel_url ?? null,
      clientReferenceId: params.client_reference_id ?? null,
      metadata: { ...params.payment_intent_data?.metadata, ...params.metadata },
    }),
  );
}

/** Stripe's own least, near half a dollar: docs.stripe.com/currencies, "Minimum and maximum charge amounts". */
function requireAmount(amount: number, currency: string): void {
  if (!Number.isInteger(amount)) {
    throw badParam("line_items", "Invalid integer.", "parameter_invalid_integer");
  }
  const least = currency === "jpy" || currency === "usd" || currency === "eur" ? 50 : 1;
  if (amount < least)
    throw badParam("line_items", `It must be at least ${least}.`, "amount_too_small");
  if (amount > 99_999_999) throw badParam("line_items", "It is too large.", "amount_too_large");
}
