import type Stripe from "stripe";
import { createIntent } from "./charge-method.ts";
import type { Desk } from "./desk.ts";
import { keep } from "./emulated-state.ts";
import { requireCustomer } from "./keep-customers.ts";
import { amountIn } from "./keep-prices.ts";
import {
  type InvoiceTerms,
  makeInvoice,
  makeInvoiceItem,
  makeInvoicePayment,
  makeLine,
  sumsOf,
} from "./make-invoice-objects.ts";
import { type Params, textAt, textsAt } from "./read-params.ts";
import { badParam, noSuch, StripeFault } from "./stripe-fault.ts";

/** Notes something that a customer owes, on an invoice or for the next one. */
export function createInvoiceItem({ state, say }: Desk, params: Params): Stripe.InvoiceItem {
  const customer = textAt(params, "customer") ?? "";
  requireCustomer(state.customers, customer);
  const invoice = textAt(params, "invoice") ?? null;
  const item = makeInvoiceItem({
    ...amountIn(params, "amount"),
    ...{ customer, invoice, created: state.now() },
    description: textAt(params, "description") ?? null,
    metadata: textsAt(params, "metadata"),
  });
  keep(state.invoiceItems, item);
  if (invoice !== null) addItem(state, requireInvoice(state, invoice, "draft"), item);
  say("invoiceitem.created", item);
  return item;
}

/** Makes a draft of what waits for a customer. */
export function createInvoice(desk: Desk, params: Params): Stripe.Invoice {
  const { state } = desk;
  const customer = textAt(params, "customer") ?? "";
  requireCustomer(state.customers, customer);
  const waiting = [...state.invoiceItems.values()].filter(
    (item) => item.customer === customer && item.invoice === null,
  );
  const created = state.now();
  const terms: InvoiceTerms = {
    ...{ customer, created, periodStart: created, periodEnd: created },
    currency: textAt(params, "currency") ?? waiting[0]?.currency ?? "usd",
    ...{ reason: "manual", subscription: undefined },
    method: textAt(params, "default_payment_method") ?? null,
    metadata: textsAt(params, "metadata"),
  };
  let invoice = draftInvoice(desk, terms, []);
  const isPulled = params.pending_invoice_items_behavior === "include";
  for (const item of isPulled ? waiting : []) invoice = addItem(state, invoice, item);
  return invoice;
}

/** Makes a draft with lines. */
export function draftInvoice(
  { state, say }: Desk,
  terms: InvoiceTerms,
  items: readonly Stripe.SubscriptionItem[],
): Stripe.Invoice {
  const draft = makeInvoice(terms);
  const lines = items.map((item) => {
    const quantity = item.quantity ?? 1;
    return makeLine({
      ...{ item, quantity, invoice: draft.id, currency: terms.currency, description: null },
      ...{ start: terms.periodStart, end: terms.periodEnd, invoiceItem: "" },
      amount: (item.price.unit_amount ?? 0) * quantity,
    });
  });
  const invoice = withLines(draft, lines);
  say("invoice.created", keep(state.invoices, invoice));
  return invoice;
}

function withLines(
  invoice: Stripe.Invoice,
  lines: readonly Stripe.InvoiceLineItem[],
): Stripe.Invoice {
  return { ...invoice, ...sumsOf(lines), lines: { ...invoice.lines, data: [...lines] } };
}

function addItem(
  state: Desk["state"],
  invoice: Stripe.Invoice,
  item: Stripe.InvoiceItem,
): Stripe.Invoice {
  const { amount, currency, description, period, quantity, id: invoiceItem } = item;
  const line = makeLine({
    ...{ amount, currency, description, quantity, invoiceItem },
    ...{ invoice: invoice.id, start: period.start, end: period.end, item: undefined },
  });
  keep(state.invoiceItems, { ...item, invoice: invoice.id });
  return keep(state.invoices, withLines(invoice, [...invoice.lines.data, line]));
}

/** Opens a draft: it can be paid from then on, and no longer be changed. */
export function finalizeInvoice({ state, say }: Desk, id: string): Stripe.Invoice {
  const invoice = requireInvoice(state, id, "draft");
  const opened = keep(state.invoices, {
    ...invoice,
    status: "open" as const,
    number: `FAREBOX-${String(state.invoices.size).padStart(4, "0")}`,
    effective_at: state.now(),
    status_transitions: { ...invoice.status_transitions, finalized_at: state.now() },
  });
  say("invoice.finalized", opened);
  return opened.amount_due === 0 ? settle({ state, say }, opened, undefined) : opened;
}

/** Charges an open invoice. Throws a StripeFault when the card declines. */
export function payInvoice(desk: Desk, id: string, params: Params = {}): Stripe.Invoice {
  const { state, say } = desk;
  const invoice = requireInvoice(state, id, "open");
  const customer = requireCustomer(state.customers, String(invoice.customer));
  const method =
    textAt(params, "payment_method") ??
    invoice.default_payment_method ??
    customer.invoice_settings.default_payment_method;
  const tried = { ...invoice, attempted: true, attempt_count: invoice.attempt_count + 1 };
  try {
    const { intent } = createIntent(desk, {
      ...{ amount: String(invoice.amount_due), currency: invoice.currency, confirm: "true" },
      ...{ customer: customer.id, payment_method: String(method), off_session: "true" },
    });
    return settle(desk, tried, intent.id);
  } catch (error) {
    if (!(error instanceof StripeFault)) throw error;
    say("invoice.payment_failed", keep(state.invoices, tried));
    throw error;
  }
}

/** Gives an open invoice up. */
export function voidInvoice({ state, say }: Desk, id: string): Stripe.Invoice {
  const invoice = requireInvoice(state, id, "open");
  const voided = keep(state.invoices, {
    ...invoice,
    status: "void" as const,
    status_transitions: { ...invoice.status_transitions, voided_at: state.now() },
  });
  say("invoice.voided", voided);
  return voided;
}

function settle(
  { state, say }: Pick<Desk, "state" | "say">,
  invoice: Stripe.Invoice,
  intent: string | undefined,
): Stripe.Invoice {
  const created = state.now();
  const payments = invoice.payments?.data ?? [];
  const payment =
    intent === undefined ? undefined : makeInvoicePayment(invoice, { intent, created });
  const paid = keep(state.invoices, {
    ...invoice,
    status: "paid" as const,
    ...{ amount_paid: invoice.amount_due, amount_remaining: 0, attempted: true },
    payments: {
      ...{ object: "list" as const, has_more: false, url: "/v1/invoice_payments" },
      data: payment === undefined ? payments : [...payments, payment],
    },
    status_transitions: { ...invoice.status_transitions, paid_at: created },
  });
  if (payment !== undefined) say("invoice_payment.paid", keep(state.invoicePayments, payment));
  say("invoice.paid", paid);
  activate({ state, say }, paid);
  return paid;
}

/** A subscription whose invoice is paid after all runs again. */
function activate({ state, say }: Pick<Desk, "state" | "say">, invoice: Stripe.Invoice): void {
  const id = invoice.parent?.subscription_details?.subscription;
  const subscription = state.subscriptions.get(String(id));
  if (subscription?.status !== "past_due" && subscription?.status !== "incomplete") return;
  const active = keep(state.subscriptions, { ...subscription, status: "active" as const });
  say("customer.subscription.updated", active);
}

function requireInvoice(
  { invoices }: Desk["state"],
  id: string,
  status: Stripe.Invoice.Status,
): Stripe.Invoice {
  const invoice = invoices.get(id);
  if (invoice === undefined) throw noSuch("invoice", id);
  if (invoice.status === status) return invoice;
  throw badParam("invoice", `It is ${invoice.status}.`, "invoice_not_editable");
}
