import Stripe from "stripe";
import type { Payment, PaymentReport } from "../../domain/payment.ts";
import type { SavedMethod } from "../../domain/saved-method.ts";
import type { ListedPayment, OnlineProvider, PaymentWay } from "../payment-provider.ts";
import { findInList } from "./find-in-list.ts";
import { askStripe } from "./stripe-answer.ts";
import type { StripeOptions } from "./stripe-provider.ts";
import { hexOf, idOf, reportOfIntent, reportOfSession } from "./stripe-reports.ts";

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
/** Bounds what one comparison reads: a hundred pages of each list. */
const listedMax = 10_000;
const intentFields = ["payment_intent.latest_charge"];
const chargeFields = ["latest_charge"];

/** Payments by a page of Stripe's, or by a saved method at once. */
export function paymentCalls(
  stripe: Stripe,
  options: StripeOptions,
): Pick<OnlineProvider, "begin" | "read" | "find"> {
  return {
    begin: (payment, way) =>
      askStripe(async () => {
        const key = { idempotencyKey: `pay_${payment.id}` };
        if (way.method !== undefined) {
          return charge(stripe, chargeParams(payment, way.method, options), key);
        }
        const params = sessionParams(payment, way, options);
        return reportOfSession(await stripe.checkout.sessions.create(params, key));
      }),
    read: ({ sessionId, intentId }) =>
      askStripe(async () => {
        if (sessionId === "") {
          const expand = chargeFields;
          return reportOfIntent(await stripe.paymentIntents.retrieve(intentId, { expand }));
        }
        const expand = intentFields;
        return reportOfSession(await stripe.checkout.sessions.retrieve(sessionId, { expand }));
      }),
    find: async (payment, way) => {
      const answer = await askStripe(() => findPayment(stripe, payment, way));
      if (answer.kind !== "DONE") return answer;
      const { value } = answer;
      if (value !== "UNCERTAIN") return { kind: "DONE", value };
      return { kind: "UNKNOWN", cause: new Error("Stripe lists more than is looked through") };
    },
  };
}

/** Among what was begun while its key was remembered: charges of the customer, or pages. */
async function findPayment(
  stripe: Stripe,
  { id, createTimeMs }: Payment,
  { method }: PaymentWay,
): Promise<PaymentReport | undefined | "UNCERTAIN"> {
  const gte = Math.floor((createTimeMs - minuteMs) / 1000);
  const lte = Math.ceil((createTimeMs + dayMs) / 1000);
  const range = { created: { gte, lte }, limit: 100 };
  const isIt = (of: { readonly metadata: Stripe.Metadata | null }) =>
    hexOf(of.metadata?.payment_id, "pay_") === id;
  if (method !== undefined) {
    const expand = chargeFields.map(inList);
    const customer = method.providerCustomerId;
    const found = await findInList(
      stripe.paymentIntents.list({ ...range, customer, expand }),
      isIt,
    );
    return found === undefined || found === "UNCERTAIN" ? found : reportOfIntent(found);
  }
  const expand = intentFields.map(inList);
  const found = await findInList(stripe.checkout.sessions.list({ ...range, expand }), isIt);
  return found === undefined || found === "UNCERTAIN" ? found : reportOfSession(found);
}

const inList = (field: string) => `data.${field}`;

/** What is written at Stripe on everything of a payment: our ids only, and never what is decided by. */
function metadataOf({ id, orderId, accountId }: Payment): Stripe.MetadataParam {
  return { payment_id: `pay_${id}`, payment_order_id: orderId, account_id: accountId };
}

/**
 * From the payment's row and the settings. Should those change between two attempts, Stripe answers that the key was used with
 * other words, which is UNKNOWN: what became of the first is looked for.
 */
function sessionParams(
  payment: Payment,
  { kinds }: PaymentWay,
  options: StripeOptions,
): Stripe.Checkout.SessionCreateParams {
  const metadata = metadataOf(payment);
  const page = `${options.publicUrl.replace(/\/$/, "")}/return?payment=pay_${payment.id}`;
  return {
    mode: "payment",
    client_reference_id: payment.orderId,
    metadata,
    payment_intent_data: { metadata },
    allowed_payment_method_types: [...kinds],
    ...(kinds.includes("wechat_pay")
      ? { payment_method_options: { wechat_pay: { client: "web" as const } } }
      : {}),
    line_items: [
      {
        quantity: 1,
        price_data: {
          currency: payment.currencyCode.toLowerCase(),
          unit_amount: Number(payment.minor),
          product_data: { name: payment.subject || options.displayName },
        },
      },
    ],
    success_url: payment.returnUrl || page,
    cancel_url: payment.returnUrl || page,
    expires_at: Math.floor(expiryMs(payment) / 1000),
    expand: intentFields,
  };
}

/** A page lives at least half an hour and at most a day: Stripe takes nothing else. */
function expiryMs({ createTimeMs, expireTimeMs }: Payment): number {
  const earliest = createTimeMs + 31 * minuteMs;
  const latest = createTimeMs + dayMs - minuteMs;
  return Math.min(latest, Math.max(earliest, expireTimeMs ?? latest));
}

/** As for pages. */
function chargeParams(
  payment: Payment,
  method: SavedMethod,
  options: StripeOptions,
): Stripe.PaymentIntentCreateParams {
  return {
    amount: Number(payment.minor),
    currency: payment.currencyCode.toLowerCase(),
    customer: method.providerCustomerId,
    payment_method: method.providerMethodId,
    confirm: true,
    off_session: true,
    description: payment.subject || options.displayName,
    metadata: metadataOf(payment),
    expand: chargeFields,
  };
}

/** A decline is an answer about the intent, not a failure to ask. */
async function charge(
  stripe: Stripe,
  params: Stripe.PaymentIntentCreateParams,
  key: Stripe.RequestOptions,
): Promise<PaymentReport> {
  try {
    return reportOfIntent(await stripe.paymentIntents.create(params, key));
  } catch (error) {
    const declined =
      error instanceof Stripe.errors.StripeCardError ? error.payment_intent : undefined;
    if (declined === undefined) throw error;
    return reportOfIntent(declined);
  }
}

/** Every payment of ours that was begun at or after an instant: pages, and charges without one. */
export async function listPayments(
  stripe: Stripe,
  sinceMs: number,
): Promise<readonly ListedPayment[]> {
  const created = { gte: Math.floor(sinceMs / 1000) };
  const expand = intentFields.map(inList);
  const sessions = await stripe.checkout.sessions
    .list({ created, limit: 100, expand })
    .autoPagingToArray({ limit: listedMax });
  const ofPages = new Set(sessions.map((session) => idOf(session.payment_intent)));
  const intents = await stripe.paymentIntents
    .list({ created, limit: 100, expand: chargeFields.map(inList) })
    .autoPagingToArray({ limit: listedMax });
  return [
    ...sessions.map((session) => ({
      objectId: session.id,
      paymentId: hexOf(session.metadata?.payment_id, "pay_"),
      report: reportOfSession(session),
    })),
    ...intents
      .filter(({ id }) => !ofPages.has(id))
      .map((intent) => ({
        objectId: intent.id,
        paymentId: hexOf(intent.metadata.payment_id, "pay_"),
        report: reportOfIntent(intent),
      })),
  ];
}
