import type Stripe from "stripe";
import type { Desk } from "./desk.ts";
import { keep } from "./emulated-state.ts";
import { makeCardMethod } from "./make-customer-objects.ts";
import { type Params, textAt, textsAt } from "./read-params.ts";
import { badParam, noSuch } from "./stripe-fault.ts";

/** Keeps a card for a customer; what it does when it is charged is remembered apart, as its number is nowhere answered. */
export function keepCard(
  { state, say }: Desk,
  of: { readonly number: string; readonly customer: string | null },
): Stripe.PaymentMethod {
  const number = of.number.replace(/\s/g, "");
  const method = makeCardMethod({ number, customer: of.customer, created: state.now() });
  state.cardNumbers.set(method.id, number);
  keep(state.methods, method);
  if (of.customer !== null) say("payment_method.attached", method);
  return method;
}

/** Attaches a method to a customer. */
export function attachMethod(
  { state, say }: Desk,
  id: string,
  params: Params,
): Stripe.PaymentMethod {
  const method = requireMethod(state.methods, id);
  const customer = textAt(params, "customer") ?? "";
  if (!state.customers.has(customer)) throw noSuch("customer", customer);
  if (method.customer !== null && method.customer !== customer) {
    throw badParam("payment_method", "It is attached to another customer.");
  }
  const attached = keep(state.methods, { ...method, customer });
  say("payment_method.attached", attached);
  return attached;
}

/** Detaches a method for good. */
export function detachMethod({ state, say }: Desk, id: string): Stripe.PaymentMethod {
  const method = requireMethod(state.methods, id);
  if (method.customer === null) {
    const message = "The payment method you provided is not attached to a customer.";
    throw badParam("payment_method", message, "payment_method_not_attached");
  }
  const detached = keep(state.methods, { ...method, customer: null });
  say("payment_method.detached", detached);
  return detached;
}

/** Changes a card's month, as its bank does when it is renewed. */
export function updateMethod(
  { state, say }: Desk,
  id: string,
  params: Params,
): Stripe.PaymentMethod {
  const method = requireMethod(state.methods, id);
  const { card, metadata } = method;
  const month = textAt(params, "card", "exp_month");
  const year = textAt(params, "card", "exp_year");
  const changed = keep(state.methods, {
    ...method,
    metadata: { ...metadata, ...textsAt(params, "metadata") },
    ...(card === undefined
      ? {}
      : {
          card: {
            ...card,
            exp_month: Number(month ?? card.exp_month),
            exp_year: Number(year ?? card.exp_year),
          },
        }),
  });
  say("payment_method.updated", changed);
  return changed;
}

function requireMethod(
  methods: ReadonlyMap<string, Stripe.PaymentMethod>,
  id: string,
): Stripe.PaymentMethod {
  const method = methods.get(id);
  if (method === undefined) throw noSuch("PaymentMethod", id);
  return method;
}
