import type { Logger } from "@farebox/kit/logger";
import type { Metrics } from "@farebox/kit/metrics";
import type { AttemptOutcome, RechargeAttempt } from "./domain/auto-recharge.ts";
import type { Dispute } from "./domain/dispute.ts";
import type { Payment } from "./domain/payment.ts";
import type { ProviderEvent } from "./domain/provider-event.ts";
import type { Refund } from "./domain/refund.ts";
import type { Difference } from "./store/difference-store.ts";

/** What happens to money that is collected. Nothing here holds a key, a card or what a provider wrote for people. */
export type PaymentEvents = {
  paymentMoved(payment: Payment): void;
  /** Something else arrived than was asked for, or Billing refused it: an alarm, a person decides. */
  paymentParked(payment: Payment, why: string): void;
  refundMoved(refund: Refund): void;
  /** What the janitor does for a row of that table went no further; it is tried again. */
  dutyPutOff(table: string, error: unknown): void;
  disputeMoved(dispute: Dispute): void;
  methodSaved(accountId: string, methodId: string): void;
  methodRemoved(accountId: string, methodId: string): void;
  /** An account paid in by itself, or could not. */
  autoRecharged(attempt: RechargeAttempt, how: AttemptOutcome): void;
  /** It is not known yet what came of that; it is tried again. */
  autoRechargePutOff(accountId: string, error: unknown): void;
  /** An account pays in by itself no more until somebody sets it anew. */
  autoRechargeSwitchedOff(accountId: string, reason: string): void;
  /** Two people say that a transfer arrived. */
  transferApproved(by: { readonly paymentId: string; readonly person: string }): void;
  /** An event that nobody can place: an alarm. */
  eventParked(event: Pick<ProviderEvent, "eventId" | "type" | "objectId">, why: string): void;
  /** The provider did not say what became of a call. */
  providerSilent(what: string, cause: unknown): void;
  differenceFound(difference: Omit<Difference, "id" | "createTimeMs">): void;
  /** So many payments and events wait for a person. An alarm unless zero. */
  parkedCounted(counts: { readonly payments: number; readonly events: number }): void;
};

/** Makes the events of one process. */
export function createPaymentEvents(deps: {
  readonly log: Logger;
  readonly metrics: Metrics;
}): PaymentEvents {
  const { log } = deps;
  const meters = createMeters(deps.metrics);
  return {
    paymentMoved: (payment) => {
      meters.payments.inc({ state: payment.state.toLowerCase() });
      log.info({ event: "payment.moved", ...namesOf(payment), state: payment.state });
    },
    paymentParked: (payment, why) => {
      meters.payments.inc({ state: "parked" });
      log.error({ event: "payment.parked", ...namesOf(payment), why });
    },
    refundMoved: ({ id, paymentId, state, origin, told, amount }) => {
      meters.refunds.inc({ state: state.toLowerCase(), origin: origin.toLowerCase() });
      const ids = { refundId: `rfd_${id}`, paymentId: `pay_${paymentId}` };
      log.info({ event: "refund.moved", ...ids, state, origin, told, amount: String(amount) });
    },
    dutyPutOff: (table, err) => log.warn({ event: "duty.put_off", table, err }),
    disputeMoved: ({ id, paymentId, isReinstated, told, amount }) => {
      meters.disputes.inc({ told: told.toLowerCase() });
      const facts = { disputeId: id, paymentId: `pay_${paymentId}`, isReinstated, told };
      log.warn({ event: "dispute.moved", ...facts, amount: String(amount) });
    },
    methodSaved: (accountId, methodId) => {
      meters.methods.inc({ change: "saved" });
      log.info({ event: "payment_method.saved", accountId, paymentMethodId: `pmt_${methodId}` });
    },
    methodRemoved: (accountId, methodId) => {
      meters.methods.inc({ change: "removed" });
      log.info({ event: "payment_method.removed", accountId, paymentMethodId: `pmt_${methodId}` });
    },
    autoRecharged: ({ id, accountId, amount }, { state, reason }) => {
      meters.autoRecharges.inc({ outcome: state.toLowerCase() });
      const facts = { attemptId: id, accountId, amount: String(amount), state, reason };
      log.info({ event: "auto_recharge.ended", ...facts });
    },
    autoRechargePutOff: (accountId, err) =>
      log.warn({ event: "auto_recharge.put_off", accountId, err }),
    autoRechargeSwitchedOff: (accountId, reason) => {
      meters.autoRecharges.inc({ outcome: "switched_off" });
      log.warn({ event: "auto_recharge.switched_off", accountId, reason });
    },
    transferApproved: ({ paymentId, person }) => {
      log.info({ event: "transfer.approved", paymentId: `pay_${paymentId}`, person });
    },
    eventParked: ({ eventId, type, objectId }, why) => {
      log.error({ event: "provider_event.parked", eventId, type, objectId, why });
    },
    providerSilent: (what, err) => {
      meters.silences.inc({ call: what });
      log.warn({ event: "provider.silent", what, err });
    },
    differenceFound: ({ kind, objectId, paymentId, isRepaired }) => {
      meters.differences.inc({ kind });
      log.error({ event: "payment.difference", kind, objectId, paymentId, isRepaired });
    },
    parkedCounted: ({ payments, events }) => {
      meters.parked.set({ what: "payments" }, payments);
      meters.parked.set({ what: "events" }, events);
    },
  };
}

function createMeters(metrics: Metrics) {
  return {
    payments: metrics.counter({
      name: "payments_total",
      help: "Payments, by the state that they came into",
      labels: ["state"],
    }),
    refunds: metrics.counter({
      name: "payment_refunds_total",
      help: "Refunds, by the state that they came into and by who began them",
      labels: ["state", "origin"],
    }),
    disputes: metrics.counter({
      name: "payment_disputes_total",
      help: "Disputes, by what Billing was told of them",
      labels: ["told"],
    }),
    methods: metrics.counter({
      name: "payment_methods_total",
      help: "Saved methods, by what happened to them",
      labels: ["change"],
    }),
    autoRecharges: metrics.counter({
      name: "payment_auto_recharges_total",
      help: "Recharges that accounts made by themselves, by how they ended",
      labels: ["outcome"],
    }),
    silences: metrics.counter({
      name: "payment_provider_unknown_total",
      help: "Calls to providers of which it is not known what became of them",
      labels: ["call"],
    }),
    differences: metrics.counter({
      name: "payment_differences_total",
      help: "Differences found between the provider's books and ours",
      labels: ["kind"],
    }),
    parked: metrics.gauge({
      name: "payment_parked",
      help: "Payments and events that wait for a person; 0 is good",
      labels: ["what"],
    }),
  };
}

function namesOf({ id, orderId, accountId }: Payment) {
  return { paymentId: `pay_${id}`, paymentOrderId: orderId, accountId };
}
