import { newUuidText } from "@farebox/kit/ids";
import { awaitCondition } from "../src/faults/await-condition.ts";
import type { PaymentUnderTest } from "./payment-under-test.ts";

/** Cards by what they do once they are saved. */
export const savedCards = {
  pays: "4242 4242 4242 4242",
  declines: "4000 0000 0000 0341",
  asks: "4000 0027 6000 3184",
} as const;

/** A customer with a key. */
export type Customer = { readonly accountId: string; readonly key: string };

/** Opens a page to save a card at, and answers the id of its session at Stripe. */
export async function openSetup(under: PaymentUnderTest, customer: Customer): Promise<string> {
  const client = under.asKey(customer.key);
  const { setupUrl } = await client.addPaymentMethod({ requestId: newUuidText() });
  return setupUrl.split("/").at(-1) ?? "";
}

/** Saves a card for a customer at the page, and waits until it is known. Answers its id. */
export async function saveCard(
  under: PaymentUnderTest,
  customer: Customer,
  number: string = savedCards.pays,
): Promise<string> {
  const client = under.asKey(customer.key);
  const before = await client.listPaymentMethods({});
  under.emulator.till.pay(await openSetup(under, customer), { kind: "card", card: number });
  let id = "";
  await awaitCondition("the card to be saved", async () => {
    const { paymentMethods } = await client.listPaymentMethods({});
    id = paymentMethods[0]?.id ?? "";
    return paymentMethods.length > before.paymentMethods.length;
  });
  return id;
}
