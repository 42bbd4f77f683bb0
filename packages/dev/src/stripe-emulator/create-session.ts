import type Stripe from "stripe";
import { type EmulatedState, keep, newStripeId } from "./emulated-state.ts";
import { requireCustomer } from "./keep-customers.ts";
import { makeSession } from "./make-objects.ts";
import { listAt, type Params, textAt, textsAt } from "./read-params.ts";
import { badParam } from "./stripe-fault.ts";

const daySeconds = 86_400;
const halfHourSeconds = 1_800;

/** Opens a page as `POST /v1/checkout/sessions` does, to pay or to save a card. Throws a StripeFault that names the parameter. */
export function createSession(
  state: EmulatedState,
  params: Params,
  publicUrl: string,
): Stripe.Checkout.Session {
  const { mode } = params;
  if (mode !== "payment" && mode !== "setup" && mode !== "subscription") {
    throw badParam("mode", "It is payment, setup or subscription.");
  }
  const successUrl = requireText(params, "success_url");
  const customer = textAt(params, "customer") ?? null;
  if (customer !== null) requireCustomer(state.customers, customer);
  const price = mode === "setup" ? { amount: null, currency: null } : priceOf(state, params);
  const created = state.now();
  const expiresAt = Number(params.expires_at ?? created + daySeconds);
  if (!(expiresAt >= created + halfHourSeconds && expiresAt <= created + daySeconds)) {
    const message = "It must be from 30 minutes to 24 hours from now.";
    throw badParam("expires_at", message, "parameter_invalid_integer");
  }
  const kinds = listAt(params, "allowed_payment_method_types").map(String);
  const id = newStripeId("cs_test");
  if (mode === "subscription") keepItems(state, id, listAt(params, "line_items"));
  return keep(
    state.sessions,
    makeSession({
      ...{ id, mode, customer, created, expiresAt, successUrl, ...price },
      kinds: kinds.length === 0 ? ["card"] : kinds,
      url: `${publicUrl}/pay/${id}`,
      cancelUrl: textAt(params, "cancel_url") ?? null,
      clientReferenceId: textAt(params, "client_reference_id") ?? null,
      metadata: {
        ...textsAt(params, `${mode}_intent_data`, "metadata"),
        ...textsAt(params, "metadata"),
      },
    }),
  );
}

function requireText(params: Params, name: string): string {
  const text = textAt(params, name);
  if (text !== undefined) return text;
  throw badParam(name, `Missing required param: ${name}.`, "parameter_missing");
}

function keepItems(state: EmulatedState, id: string, items: readonly unknown[]): void {
  const named = items.flatMap((item) => {
    const price = textAt(item, "price") ?? "";
    const { recurring = null } = state.prices.get(price) ?? {};
    if (recurring === null) throw badParam("line_items", "It needs recurring prices.");
    return [{ price, quantity: textAt(item, "quantity") ?? "1" }];
  });
  state.pageItems.set(id, named);
}

/** What is to be paid at a page. */
function priceOf(
  { prices }: EmulatedState,
  params: Params,
): { readonly amount: number; readonly currency: string } {
  const items = listAt(params, "line_items");
  const named = items.map((item) => prices.get(textAt(item, "price") ?? ""));
  const currency = textAt(items[0], "price_data", "currency") ?? named[0]?.currency;
  if (currency === undefined) {
    throw badParam("line_items", "An item needs price or price_data.", "parameter_missing");
  }
  const amount = items.reduce(
    (sum: number, item, at) => sum + amountOf(item, named[at]?.unit_amount),
    0,
  );
  requireAmount(amount, currency);
  return { amount, currency };
}

function amountOf(item: unknown, named: number | null | undefined): number {
  const each = Number(textAt(item, "price_data", "unit_amount") ?? named);
  return each * Number(textAt(item, "quantity") ?? 1);
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
