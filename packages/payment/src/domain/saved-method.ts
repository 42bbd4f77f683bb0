import type { MethodKind } from "./method-capabilities.ts";

/** Who pays, at the provider. One for an account; `id` is 32 hex digits. */
export type Customer = {
  readonly id: string;
  readonly accountId: string;
  readonly isTest: boolean;
  /** Empty until the provider has answered. */
  readonly providerCustomerId: string;
  /** The saved method that pays when no other is named; empty for none. */
  readonly defaultMethodId: string;
  readonly createTimeMs: number;
};

/** Whether a saved method can be charged; REMOVING is hidden here and not yet known to be forgotten at the provider. */
export const methodStates = ["ACTIVE", "REMOVING", "REMOVED"] as const;
export type MethodState = (typeof methodStates)[number];

/** A way to pay that an account has saved. Its row is kept for ever: payments name it. */
export type SavedMethod = MethodFacts & {
  readonly id: string;
  readonly accountId: string;
  readonly isTest: boolean;
  readonly state: MethodState;
  readonly attempts: number;
  readonly createTimeMs: number;
};

/** What a provider says of a saved method, for people. */
export type MethodFacts = {
  readonly providerMethodId: string;
  /** Empty when it is attached to nobody: it cannot be charged any more. */
  readonly providerCustomerId: string;
  readonly kind: MethodKind;
  readonly brand: string;
  readonly last4: string;
  /** 1 to 12; 0 for never. */
  readonly expireMonth: number;
  readonly expireYear: number;
};

/** How far the saving of a method has come. */
export const setupStates = ["CREATED", "PENDING", "SAVED", "EXPIRED", "FAILED"] as const;
export type SetupState = (typeof setupStates)[number];

/** A request to save a method: the payer enters it at the provider's page. */
export type MethodSetup = {
  readonly id: string;
  readonly accountId: string;
  readonly isTest: boolean;
  readonly requestId: string;
  readonly kind: MethodKind;
  readonly returnUrl: string;
  /** The provider's id of whom the page is for; empty before it is first asked for. */
  readonly providerCustomerId: string;
  readonly state: SetupState;
  readonly sessionId: string;
  readonly setupUrl: string;
  readonly attempts: number;
  readonly createTimeMs: number;
};

/** What a provider says of it. A page that was used up without a method that is still attached has EXPIRED. */
export type SetupReport = { readonly sessionId: string } & (
  | { readonly state: "PENDING"; readonly setupUrl: string }
  | { readonly state: "SAVED"; readonly method: MethodFacts }
  | { readonly state: "EXPIRED" }
);

/** Saved methods of an account, and pages to save one at, together. */
export const savedMethodsMax = 50;
