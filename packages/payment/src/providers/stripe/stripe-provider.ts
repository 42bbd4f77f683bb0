import { AppError } from "@farebox/kit/app-error";
import type { Secret } from "@farebox/kit/env";
import Stripe from "stripe";
import type { PayableKind } from "../../domain/method-capabilities.ts";
import type { Payment, PaymentReport } from "../../domain/payment.ts";
import type { Refund } from "../../domain/refund.ts";
import type {
  ListedEvent,
  ListedPayment,
  ObjectOwner,
  PaymentProvider,
} from "../payment-provider.ts";
import { askStripe } from "./stripe-answer.ts";
import { hexOf, reportOfDispute, reportOfRefund, reportOfSession } from "./stripe-reports.ts";

export type StripeOptions = {
  readonly secretKey: Secret;
  readonly webhookSecrets: readonly Secret[];
  /** Another Stripe, such as the emulator. */
  readonly apiUrl: string | undefined;
  /** Where payers' browsers reach Payment. */
  readonly publicUrl: string;
  /** What payers see that they pay for, when the order does not say. */
  readonly displayName: string;
};

const apiVersion = "2026-10-28.endive";
const callMsMax = 10_000;
const signatureSecondsMax = 300;
const minuteMs = 60_000;
/** Bounds what one comparison reads: a hundred pages. */
const listedMax = 10_000;
const intentFields = ["payment_intent.latest_charge"];

/** Stripe by its official client, in the API version that this code was written for. Nothing is retried here: the callers know when. */
export function createStripeProvider(options: StripeOptions): PaymentProvider {
  const stripe = new Stripe(options.secretKey.reveal(), clientConfig(options.apiUrl));
  const secrets = options.webhookSecrets.map((it) => it.reveal());
  return {
    name: "stripe",
    apiVersion,
    isTest: !options.secretKey.reveal().includes("_live_"),
    ...paymentCalls(stripe, options),
    ...refundCalls(stripe),
    ...lists(stripe),
    readWebhook: (body, signature) => {
      for (const secret of secrets) {
        const event = verified(stripe, body, signature, secret);
        if (event !== undefined) return listedEvent(event);
      }
      throw new AppError("WEBHOOK_FORGED");
    },
  };
}

function clientConfig(apiUrl: string | undefined): Stripe.StripeConfig {
  const base = { apiVersion, maxNetworkRetries: 0, timeout: callMsMax, telemetry: false } as const;
  if (apiUrl === undefined || apiUrl === "") return base;
  const { protocol, hostname, port } = new URL(apiUrl);
  const isPlain = protocol === "http:";
  return {
    ...base,
    protocol: isPlain ? "http" : "https",
    host: hostname,
    port: port || (isPlain ? 80 : 443),
  };
}

function paymentCalls(
  stripe: Stripe,
  options: StripeOptions,
): Pick<PaymentProvider, "begin" | "read" | "find" | "ownerOf"> {
  return {
    begin: (payment, kinds) =>
      askStripe(async () => {
        const params = sessionParams(payment, kinds, options);
        const key = { idempotencyKey: `pay_${payment.id}` };
        return reportOfSession(await stripe.checkout.sessions.create(params, key));
      }),
    read: ({ sessionId }) =>
      askStripe(async () => {
        const session = await stripe.checkout.sessions.retrieve(sessionId, {
          expand: intentFields,
        });
        return reportOfSession(session);
      }),
    find: (payment) =>
      askStripe(async () => {
        const sinceMs = payment.createTimeMs - minuteMs;
        const listed = await listPayments(stripe, sinceMs);
        return listed.find(({ paymentId }) => paymentId === payment.id)?.report;
      }),
    ownerOf: async (objectId) => {
      const answer = await askStripe(() => metadataOf(stripe, objectId));
      if (answer.kind === "REFUSED") {
        return { kind: "DONE", value: { kind: "MISSING" } satisfies ObjectOwner };
      }
      if (answer.kind === "UNKNOWN") return answer;
      const paymentId = hexOf(answer.value?.payment_id, "pay_");
      const value: ObjectOwner =
        paymentId === "" ? { kind: "FOREIGN" } : { kind: "PAYMENT", paymentId };
      return { kind: "DONE", value };
    },
  };
}

async function metadataOf(stripe: Stripe, objectId: string): Promise<Stripe.Metadata | null> {
  if (objectId.startsWith("cs_"))
    return (await stripe.checkout.sessions.retrieve(objectId)).metadata;
  return (await stripe.paymentIntents.retrieve(objectId)).metadata;
}

/** All of it comes from the payment's row, so that every repetition is the same to the letter. */
function sessionParams(
  payment: Payment,
  kinds: readonly PayableKind[],
  options: StripeOptions,
): Stripe.Checkout.SessionCreateParams {
  const metadata = {
    payment_id: `pay_${payment.id}`,
    payment_order_id: payment.orderId,
    account_id: payment.accountId,
  };
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

function refundCalls(
  stripe: Stripe,
): Pick<PaymentProvider, "refund" | "readRefund" | "findRefund" | "refundsOf" | "readDispute"> {
  return {
    refund: (refund, payment) =>
      askStripe(async () => {
        const metadata = {
          refund_id: `rfd_${refund.id}`,
          payment_id: `pay_${payment.id}`,
          payment_order_id: payment.orderId,
        };
        const params = { payment_intent: payment.intentId, amount: Number(refund.minor), metadata };
        const key = { idempotencyKey: `rfd_${refund.id}` };
        return reportOfRefund(await stripe.refunds.create(params, key));
      }),
    readRefund: (id) => askStripe(async () => reportOfRefund(await stripe.refunds.retrieve(id))),
    findRefund: (refund, payment) =>
      askStripe(async () => {
        const found = await listRefunds(stripe, { payment_intent: payment.intentId });
        return found.map(reportOfRefund).find(isOf(refund));
      }),
    refundsOf: (charge) =>
      askStripe(async () => (await listRefunds(stripe, { charge })).map(reportOfRefund)),
    readDispute: (id) => askStripe(async () => reportOfDispute(await stripe.disputes.retrieve(id))),
  };
}

function isOf({ id }: Refund): (report: { readonly refundId: string }) => boolean {
  return ({ refundId }) => refundId === id;
}

function listRefunds(
  stripe: Stripe,
  of: Pick<Stripe.RefundListParams, "charge" | "payment_intent">,
): Promise<Stripe.Refund[]> {
  return stripe.refunds.list({ ...of, limit: 100 }).autoPagingToArray({ limit: listedMax });
}

function lists(stripe: Stripe): Pick<PaymentProvider, "payments" | "events"> {
  return {
    payments: (sinceMs) => askStripe(() => listPayments(stripe, sinceMs)),
    events: (sinceMs) =>
      askStripe(async () => {
        const created = { gte: Math.floor(sinceMs / 1000) };
        const events = stripe.events.list({ created, types: [...eventTypes], limit: 100 });
        return (await events.autoPagingToArray({ limit: listedMax })).map(listedEvent);
      }),
  };
}

async function listPayments(stripe: Stripe, sinceMs: number): Promise<readonly ListedPayment[]> {
  const created = { gte: Math.floor(sinceMs / 1000) };
  const expand = intentFields.map((field) => `data.${field}`);
  const sessions = await stripe.checkout.sessions
    .list({ created, limit: 100, expand })
    .autoPagingToArray({ limit: listedMax });
  return sessions.map((session) => ({
    objectId: session.id,
    paymentId: hexOf(session.metadata?.payment_id, "pay_"),
    report: reportOfSession(session) satisfies PaymentReport,
  }));
}

/** The events that this code acts on: the webhook endpoint at Stripe is to send these. */
export const eventTypes = [
  "checkout.session.completed",
  "checkout.session.async_payment_succeeded",
  "checkout.session.async_payment_failed",
  "checkout.session.expired",
  "payment_intent.succeeded",
  "payment_intent.payment_failed",
  "payment_intent.canceled",
  "charge.refunded",
  "refund.created",
  "refund.updated",
  "refund.failed",
  "charge.dispute.created",
  "charge.dispute.updated",
  "charge.dispute.funds_withdrawn",
  "charge.dispute.funds_reinstated",
  "charge.dispute.closed",
] as const;

function verified(
  stripe: Stripe,
  body: Buffer,
  signature: string,
  secret: string,
): Stripe.Event | undefined {
  try {
    return stripe.webhooks.constructEvent(body, signature, secret, signatureSecondsMax);
  } catch {
    return undefined;
  }
}

function listedEvent(event: Stripe.Event): ListedEvent {
  const object: object = event.data.object;
  return {
    eventId: event.id,
    type: event.type,
    objectId: "id" in object && typeof object.id === "string" ? object.id : "",
    apiVersion: event.api_version ?? "",
  };
}
