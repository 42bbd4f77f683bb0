import Stripe from "stripe";
import type { Payment, PaymentReport } from "../../domain/payment.ts";
import type { SavedMethod } from "../../domain/saved-method.ts";
import type { ListedPayment, OnlineProvider, PaymentWay } from "../payment-provider.ts";
import { askStripe } from "./stripe-answer.ts";
import type { StripeOptions } from "./stripe-provider.ts";
import { hexOf, idOf, reportOfIntent, reportOfSession } from "./stripe-reports.ts";

const minuteMs = 60_000;
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
    find: (payment) =>
      askStripe(async () => {
        const listed = await listPayments(stripe, payment.createTimeMs - minuteMs);
        return listed.find(({ paymentId }) => paymentId === payment.id)?.report;
      }),
  };
}

/** What is written at Stripe on everything of a payment: our ids only, and never what is decided by. */
function metadataOf({ id, orderId, accountId }: Payment): Stripe.MetadataParam {
  return { payment_id: `pay_${id}`, payment_order_id: orderId, account_id: accountId };
}

/** All of it comes from the payment's row, so that every repetition is the same to the letter. */
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
  const latest = createTimeMs + (24 * 60 - 1) * minuteMs;
  return Math.min(latest, Math.max(earliest, expireTimeMs ?? latest));
}

/** As for pages: from rows that never change. */
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
  const expand = intentFields.map((field) => `data.${field}`);
  const sessions = await stripe.checkout.sessions
    .list({ created, limit: 100, expand })
    .autoPagingToArray({ limit: listedMax });
  const ofPages = new Set(sessions.map((session) => idOf(session.payment_intent)));
  const intents = await stripe.paymentIntents
    .list({ created, limit: 100, expand: ["data.latest_charge"] })
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
