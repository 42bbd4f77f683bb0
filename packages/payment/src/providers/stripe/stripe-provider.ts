import { AppError } from "@farebox/kit/app-error";
import type { Secret } from "@farebox/kit/env";
import Stripe from "stripe";
import type { Refund } from "../../domain/refund.ts";
import type {
  ListedEvent,
  ObjectOwner,
  OnlineProvider,
  ProviderAnswer,
} from "../payment-provider.ts";
import { askStripe } from "./stripe-answer.ts";
import { methodCalls } from "./stripe-methods.ts";
import { listPayments, paymentCalls } from "./stripe-payments.ts";
import { hexOf, reportOfDispute, reportOfRefund } from "./stripe-reports.ts";

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
/** Bounds what one look reads. */
const listedMax = 10_000;

/** Stripe by its official client, in the API version that this code was written for. Nothing is retried here: the callers know when. */
export function createStripeProvider(options: StripeOptions): OnlineProvider {
  const stripe = new Stripe(options.secretKey.reveal(), clientConfig(options.apiUrl));
  const secrets = options.webhookSecrets.map((it) => it.reveal());
  return {
    name: "stripe",
    apiVersion,
    isTest: !options.secretKey.reveal().includes("_live_"),
    ...paymentCalls(stripe, options),
    ...refundCalls(stripe),
    ...methodCalls(stripe, options),
    ...lists(stripe),
    ownerOf: (objectId) => ownerOf(stripe, objectId),
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

async function ownerOf(stripe: Stripe, objectId: string): Promise<ProviderAnswer<ObjectOwner>> {
  const answer = await askStripe(() => metadataOf(stripe, objectId));
  if (answer.kind === "UNKNOWN") return answer;
  const metadata = answer.kind === "DONE" ? answer.value : undefined;
  const paymentId = hexOf(metadata?.payment_id, "pay_");
  const setupId = hexOf(metadata?.setup_id, "pms_");
  if (answer.kind === "REFUSED") return { kind: "DONE", value: { kind: "MISSING" } };
  if (paymentId !== "") return { kind: "DONE", value: { kind: "PAYMENT", paymentId } };
  if (setupId !== "") return { kind: "DONE", value: { kind: "SETUP", setupId } };
  return { kind: "DONE", value: { kind: "FOREIGN" } };
}

async function metadataOf(stripe: Stripe, objectId: string): Promise<Stripe.Metadata | null> {
  if (objectId.startsWith("cs_"))
    return (await stripe.checkout.sessions.retrieve(objectId)).metadata;
  if (objectId.startsWith("seti_")) return (await stripe.setupIntents.retrieve(objectId)).metadata;
  return (await stripe.paymentIntents.retrieve(objectId)).metadata;
}

function refundCalls(
  stripe: Stripe,
): Pick<OnlineProvider, "refund" | "readRefund" | "findRefund" | "refundsOf" | "readDispute"> {
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

function lists(stripe: Stripe): Pick<OnlineProvider, "payments" | "events"> {
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

/** The events that this code acts on: the webhook endpoint at Stripe is to send these. */
export const eventTypes = [
  "checkout.session.completed",
  "checkout.session.async_payment_succeeded",
  "checkout.session.async_payment_failed",
  "checkout.session.expired",
  "payment_intent.succeeded",
  "payment_intent.payment_failed",
  "payment_intent.canceled",
  "setup_intent.succeeded",
  "payment_method.detached",
  "payment_method.updated",
  "payment_method.automatically_updated",
  "customer.deleted",
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
