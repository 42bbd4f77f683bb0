import type Stripe from "stripe";
import type { Desk } from "./desk.ts";
import { keep } from "./emulated-state.ts";
import { detachMethod } from "./keep-methods.ts";
import { makeCustomer } from "./make-customer-objects.ts";
import { type Params, textAt, textsAt } from "./read-params.ts";
import { noSuch } from "./stripe-fault.ts";

/** Makes a customer. */
export function createCustomer({ state, say }: Desk, params: Params): Stripe.Customer {
  const customer = makeCustomer({
    created: state.now(),
    email: textAt(params, "email") ?? null,
    name: textAt(params, "name") ?? null,
    description: textAt(params, "description") ?? null,
    metadata: textsAt(params, "metadata"),
  });
  say("customer.created", keep(state.customers, customer));
  return customer;
}

/** Changes what is named of a customer. */
export function updateCustomer({ state, say }: Desk, id: string, params: Params): Stripe.Customer {
  const customer = requireCustomer(state.customers, id);
  const method = textAt(params, "invoice_settings", "default_payment_method");
  const changed = {
    ...customer,
    email: textAt(params, "email") ?? customer.email,
    name: textAt(params, "name") ?? customer.name ?? null,
    description: textAt(params, "description") ?? customer.description,
    metadata: { ...customer.metadata, ...textsAt(params, "metadata") },
    invoice_settings: {
      ...customer.invoice_settings,
      ...(method === undefined ? {} : { default_payment_method: method }),
    },
  };
  say("customer.updated", keep(state.customers, changed));
  return changed;
}

/** Deletes a customer, and detaches what was saved for it. */
export function deleteCustomer(desk: Desk, id: string): Stripe.DeletedCustomer {
  const { state, say } = desk;
  const customer = requireCustomer(state.customers, id);
  for (const method of [...state.methods.values()]) {
    if (method.customer === id) detachMethod(desk, method.id);
  }
  state.customers.delete(id);
  const deleted: Stripe.DeletedCustomer = { id, object: "customer", deleted: true };
  state.deletedCustomers.set(id, deleted);
  say("customer.deleted", customer);
  return deleted;
}

/** The customer of an id. Throws a StripeFault when there is none, or no more. */
export function requireCustomer(
  customers: ReadonlyMap<string, Stripe.Customer>,
  id: string,
): Stripe.Customer {
  const customer = customers.get(id);
  if (customer === undefined) throw noSuch("customer", id);
  return customer;
}
