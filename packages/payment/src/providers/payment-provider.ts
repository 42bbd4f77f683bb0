import type { MethodKind, PayableKind, ProviderName } from "../domain/method-capabilities.ts";
import type { Payment, PaymentReport } from "../domain/payment.ts";
import type { Refund, RefundState } from "../domain/refund.ts";
import type {
  Customer,
  MethodFacts,
  MethodSetup,
  SavedMethod,
  SetupReport,
} from "../domain/saved-method.ts";

/**
 * What came of asking a provider. REFUSED is final: it did not happen, and never will under this key. UNKNOWN says nothing:
 * it may have happened, and is asked again under the same key.
 */
export type ProviderAnswer<T> =
  | { readonly kind: "DONE"; readonly value: T }
  | { readonly kind: "REFUSED"; readonly code: string; readonly message: string }
  | { readonly kind: "UNKNOWN"; readonly cause: unknown };

/** What a provider says of a refund. */
export type RefundReport = {
  readonly state: Extract<RefundState, "PENDING" | "SUCCEEDED" | "FAILED">;
  readonly providerRefundId: string;
  readonly failureReason: string;
  /** The provider's id of the payment that it belongs to. */
  readonly intentId: string;
  /** Our own refund, when we asked for it; empty when it was made at the provider's. */
  readonly refundId: string;
  readonly minor: bigint;
  readonly currencyCode: string;
};

/** What a provider says of a dispute. */
export type DisputeReport = {
  readonly id: string;
  readonly intentId: string;
  readonly minor: bigint;
  readonly currencyCode: string;
  readonly isWithdrawn: boolean;
  readonly isReinstated: boolean;
};

/** What an object of the provider's belongs to: a payment or a setup of ours by its id, nothing of ours, or there is none. */
export type ObjectOwner =
  | { readonly kind: "PAYMENT"; readonly paymentId: string }
  | { readonly kind: "SETUP"; readonly setupId: string }
  | { readonly kind: "FOREIGN" }
  | { readonly kind: "MISSING" };

/** A payment as the provider lists it. */
export type ListedPayment = {
  readonly objectId: string;
  readonly paymentId: string;
  readonly report: PaymentReport;
};

/** An event as the provider tells or lists it. */
export type ListedEvent = {
  readonly eventId: string;
  readonly type: string;
  readonly objectId: string;
  readonly apiVersion: string;
};

/** How a payment is to be collected: by what the payer may choose from, or by a saved method without the payer. */
export type PaymentWay = {
  readonly kinds: readonly PayableKind[];
  readonly method: SavedMethod | undefined;
};

/** Who collects money. Every call has a deadline; none throws for what the provider or the network does. */
export type PaymentProvider = {
  readonly name: ProviderName;
  /** Begins to collect, under the payment's id as the key: asked again it answers the same. */
  begin(payment: Payment, way: PaymentWay): Promise<ProviderAnswer<PaymentReport>>;
  /** How a payment that was begun stands. */
  read(payment: Payment): Promise<ProviderAnswer<PaymentReport>>;
  /**
   * Looks for a payment that may have been begun, by our id: for when keys are no longer remembered. Undefined only when it is
   * certain that there is none; UNKNOWN when there was too much to look through.
   */
  find(payment: Payment, way: PaymentWay): Promise<ProviderAnswer<PaymentReport | undefined>>;
};

/** A provider that pays back, saves methods, tells what happens and can be asked for its books. */
export type OnlineProvider = PaymentProvider &
  Refunds &
  SavedMethods & {
    /** Of its events: others are written for another version of this code. */
    readonly apiVersion: string;
    readonly isTest: boolean;
    /** Whose object this is, by its id. */
    ownerOf(objectId: string): Promise<ProviderAnswer<ObjectOwner>>;
    /** What was begun at or after an instant, newest first, bounded. */
    payments(sinceMs: number): Promise<ProviderAnswer<readonly ListedPayment[]>>;
    /** What was told at or after an instant, whether or not it arrived, bounded. */
    events(sinceMs: number): Promise<ProviderAnswer<readonly ListedEvent[]>>;
    /** Reads a webhook. Throws WEBHOOK_FORGED when it is not signed by any secret, or not of the last five minutes. */
    readWebhook(body: Buffer, signature: string): ListedEvent;
  };

type Refunds = {
  /** Pays back, under the refund's id as the key. */
  refund(refund: Refund, payment: Payment): Promise<ProviderAnswer<RefundReport>>;
  /** How a refund stands, by the provider's id. */
  readRefund(providerRefundId: string): Promise<ProviderAnswer<RefundReport>>;
  /** Looks for a refund that may have been made, by our id. */
  findRefund(refund: Refund, payment: Payment): Promise<ProviderAnswer<RefundReport | undefined>>;
  /** Every refund of a charge, by the charge's id. */
  refundsOf(chargeId: string): Promise<ProviderAnswer<readonly RefundReport[]>>;
  readDispute(disputeId: string): Promise<ProviderAnswer<DisputeReport>>;
};

type SavedMethods = {
  /** Makes a customer, under its id as the key. Answers the provider's id of it. */
  createCustomer(customer: Customer): Promise<ProviderAnswer<string>>;
  /** Whether the provider still knows a customer, by its id of it. */
  hasCustomer(providerCustomerId: string): Promise<ProviderAnswer<boolean>>;
  /** Opens a page to save a method at, under the setup's id as the key. */
  beginSetup(setup: MethodSetup, providerCustomerId: string): Promise<ProviderAnswer<SetupReport>>;
  /** How a setup that was begun stands. */
  readSetup(setup: MethodSetup): Promise<ProviderAnswer<SetupReport>>;
  readMethod(providerMethodId: string): Promise<ProviderAnswer<MethodFacts>>;
  /** Forgets a method. REFUSED when it is not saved there any more. */
  detachMethod(providerMethodId: string): Promise<ProviderAnswer<void>>;
};

/** The kind that a provider's word stands for. */
export function kindOf(word: string | undefined): MethodKind {
  const kinds: Readonly<Record<string, MethodKind>> = {
    card: "CARD",
    alipay: "ALIPAY",
    wechat_pay: "WECHAT_PAY",
  };
  return (word === undefined ? undefined : kinds[word]) ?? "UNSPECIFIED";
}
