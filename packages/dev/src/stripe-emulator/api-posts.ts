import { createSession } from "./create-session.ts";
import type { Desk } from "./desk.ts";
import {
  createInvoice,
  createInvoiceItem,
  finalizeInvoice,
  payInvoice,
  voidInvoice,
} from "./keep-invoices.ts";
import { createPrice, createProduct } from "./keep-prices.ts";
import { createSubscription, updateSubscription } from "./keep-subscriptions.ts";
import type { Params } from "./read-params.ts";
import type { Till } from "./till.ts";

/** What a POST does: with the id in its path, empty when there is none, and its parameters. */
export type ApiPost = (id: string, params: Params) => object;

/** Every POST by its path, with ID for an id. */
export function apiPosts(
  desk: Desk,
  till: Till,
  publicUrl: () => string,
): Readonly<Record<string, ApiPost>> {
  return {
    "checkout/sessions": (_, params) => createSession(desk.state, params, publicUrl()),
    "checkout/sessions/ID/expire": till.expire,
    customers: (_, params) => till.createCustomer(params),
    "customers/ID": till.updateCustomer,
    invoiceitems: (_, params) => createInvoiceItem(desk, params),
    invoices: (_, params) => createInvoice(desk, params),
    "invoices/ID/finalize": (id) => finalizeInvoice(desk, id),
    "invoices/ID/pay": (id, params) => payInvoice(desk, id, params),
    "invoices/ID/void": (id) => voidInvoice(desk, id),
    payment_intents: (_, params) => till.createIntent(params),
    "payment_intents/ID/cancel": till.cancelIntent,
    "payment_intents/ID/confirm": till.confirmIntent,
    "payment_methods/ID": till.updateMethod,
    "payment_methods/ID/attach": till.attachMethod,
    "payment_methods/ID/detach": till.detachMethod,
    prices: (_, params) => createPrice(desk, params),
    products: (_, params) => createProduct(desk, params),
    refunds: (_, params) => till.refund(params),
    subscriptions: (_, params) => createSubscription(desk, params),
    "subscriptions/ID": (id, params) => updateSubscription(desk, id, params),
  };
}

/** The entry of a path and the id in it: "invoices/in_1/pay" is "invoices/ID/pay" of in_1. */
export function readPostPath(path: string): { readonly named: string; readonly id: string } {
  const id = /^(?:checkout\/)?[a-z_]+\/([^/]+)/.exec(path)?.[1] ?? "";
  if (path === "checkout/sessions" || id === "") return { named: path, id: "" };
  return { named: path.replace(`/${id}`, "/ID"), id };
}
