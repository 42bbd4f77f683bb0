/** What a test card does: as Stripe's documentation of testing says, for the numbers that are of use here. */
export type CardOutcome =
  | { readonly kind: "pays" }
  | { readonly kind: "declines"; readonly code: string; readonly declineCode: string }
  /** Can be saved, and declines when it is charged. */
  | { readonly kind: "declines-later"; readonly code: string; readonly declineCode: string }
  /** Pays when the payer proves who they are; once saved, without. */
  | { readonly kind: "asks" }
  /** Likewise, but saved as well: nothing can be charged without the payer. */
  | { readonly kind: "always-asks" }
  /** Pays, and is disputed at once. */
  | { readonly kind: "disputes" }
  /** Pays; its refunds fail afterwards, or stay pending until they are said to succeed. */
  | { readonly kind: "refund-fails" }
  | { readonly kind: "refund-waits" };

const declines = (code: string, declineCode: string): CardOutcome => ({
  kind: "declines",
  code,
  declineCode,
});

const cards: Readonly<Record<string, CardOutcome>> = {
  "4242424242424242": { kind: "pays" },
  "5555555555554444": { kind: "pays" },
  "4000000000000002": declines("card_declined", "generic_decline"),
  "4000000000009995": declines("card_declined", "insufficient_funds"),
  "4000000000000069": declines("expired_card", "expired_card"),
  "4000000000000127": declines("incorrect_cvc", "incorrect_cvc"),
  "4000000000000341": {
    ...{ kind: "declines-later", code: "card_declined", declineCode: "generic_decline" },
  },
  "4000002500003155": { kind: "asks" },
  "4000002760003184": { kind: "always-asks" },
  "4000000000000259": { kind: "disputes" },
  "4000000000005126": { kind: "refund-fails" },
  "4000000000007726": { kind: "refund-waits" },
};

/** What this number does; undefined for one that is no test card. Spaces do not matter. */
export function outcomeOf(number: string): CardOutcome | undefined {
  const digits = number.replace(/\s/g, "");
  return Object.hasOwn(cards, digits) ? cards[digits] : undefined;
}

/** Whose card a number is. */
export function brandOf(number: string): string {
  return number.startsWith("5") ? "mastercard" : "visa";
}

/** Every number, for the page that shows them. */
export const testCards: readonly (readonly [string, CardOutcome])[] = Object.entries(cards);
