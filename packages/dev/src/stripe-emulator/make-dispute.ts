import type Stripe from "stripe";
import { newStripeId } from "./emulated-state.ts";

/** A dispute of a charge whose money has been withdrawn. */
export function makeDispute(
  charge: Stripe.Charge,
  of: { readonly amount: number; readonly created: number },
): Stripe.Dispute {
  const id = newStripeId("du");
  return {
    id,
    object: "dispute",
    amount: of.amount,
    balance_transactions: [moveOf(id, charge, { amount: -of.amount, created: of.created })],
    charge: charge.id,
    created: of.created,
    currency: charge.currency,
    enhanced_eligibility_types: [],
    evidence: noEvidence(),
    evidence_details: {
      due_by: of.created + 7 * 86_400,
      enhanced_eligibility: {},
      has_evidence: false,
      past_due: false,
      submission_count: 0,
      submission_method: "manual",
    },
    intended_submission_method: null,
    is_charge_refundable: false,
    livemode: false,
    metadata: {},
    network_reason_code: "10.4",
    payment_intent: charge.payment_intent,
    reason: "fraudulent",
    status: "needs_response",
  } satisfies Stripe.Dispute;
}

/** Money that a dispute moved on the balance: below zero when it was taken. */
export function moveOf(
  disputeId: string,
  charge: Stripe.Charge,
  of: { readonly amount: number; readonly created: number },
): Stripe.BalanceTransaction {
  return {
    id: newStripeId("txn"),
    object: "balance_transaction",
    amount: of.amount,
    available_on: of.created,
    balance_type: "payments",
    created: of.created,
    currency: charge.currency,
    description: `Chargeback of ${charge.id}`,
    exchange_rate: null,
    fee: 0,
    fee_details: [],
    net: of.amount,
    reporting_category: of.amount < 0 ? "dispute" : "dispute_reversal",
    source: disputeId,
    status: "available",
    type: "adjustment",
  } satisfies Stripe.BalanceTransaction;
}

function noEvidence(): Stripe.Dispute.Evidence {
  return {
    access_activity_log: null,
    billing_address: null,
    cancellation_policy: null,
    cancellation_policy_disclosure: null,
    cancellation_rebuttal: null,
    customer_communication: null,
    customer_email_address: null,
    customer_name: null,
    customer_purchase_ip: null,
    customer_signature: null,
    duplicate_charge_documentation: null,
    duplicate_charge_explanation: null,
    duplicate_charge_id: null,
    enhanced_evidence: {},
    product_description: null,
    receipt: null,
    refund_policy: null,
    refund_policy_disclosure: null,
    refund_refusal_explanation: null,
    service_date: null,
    service_documentation: null,
    shipping_address: null,
    shipping_carrier: null,
    shipping_date: null,
    shipping_documentation: null,
    shipping_tracking_number: null,
    uncategorized_file: null,
    uncategorized_text: null,
  };
}
