import type Stripe from "stripe";
import type { MethodFacts, MethodSetup, SetupReport } from "../../domain/saved-method.ts";
import { kindOf, type OnlineProvider } from "../payment-provider.ts";
import { askStripe } from "./stripe-answer.ts";
import type { StripeOptions } from "./stripe-provider.ts";
import { idOf } from "./stripe-reports.ts";

const setupFields = ["setup_intent.payment_method"];

/** Customers, and methods that they save at a page of Stripe's. */
export function methodCalls(
  stripe: Stripe,
  options: StripeOptions,
): Pick<
  OnlineProvider,
  "createCustomer" | "hasCustomer" | "beginSetup" | "readSetup" | "readMethod" | "detachMethod"
> {
  return {
    createCustomer: ({ id, accountId }) =>
      askStripe(async () => {
        const metadata = { customer_id: `cus_${id}`, account_id: accountId };
        const key = { idempotencyKey: `cus_${id}` };
        return (await stripe.customers.create({ metadata }, key)).id;
      }),
    hasCustomer: async (id) => {
      const answer = await askStripe(() => stripe.customers.retrieve(id));
      if (answer.kind === "UNKNOWN") return answer;
      return { kind: "DONE", value: answer.kind === "DONE" && answer.value.deleted !== true };
    },
    beginSetup: (setup, customer) =>
      askStripe(async () => {
        const params = setupParams(setup, customer, options);
        const key = { idempotencyKey: `pms_${setup.id}` };
        return reportOfSetup(await stripe.checkout.sessions.create(params, key));
      }),
    readSetup: ({ sessionId }) =>
      askStripe(async () => {
        const expand = setupFields;
        return reportOfSetup(await stripe.checkout.sessions.retrieve(sessionId, { expand }));
      }),
    readMethod: (id) => askStripe(async () => factsOf(await stripe.paymentMethods.retrieve(id))),
    detachMethod: (id) =>
      askStripe(async () => {
        await stripe.paymentMethods.detach(id);
      }),
  };
}

/** As for payments: the same to the letter, as long as the settings are. */
function setupParams(
  setup: MethodSetup,
  customer: string,
  options: StripeOptions,
): Stripe.Checkout.SessionCreateParams {
  const metadata = { setup_id: `pms_${setup.id}`, account_id: setup.accountId };
  const page = `${options.publicUrl.replace(/\/$/, "")}/return?setup=pms_${setup.id}`;
  return {
    mode: "setup",
    customer,
    allowed_payment_method_types: ["card"],
    metadata,
    setup_intent_data: { metadata },
    success_url: setup.returnUrl || page,
    cancel_url: setup.returnUrl || page,
    expand: setupFields,
  };
}

/** A method that was saved and is attached to nobody by now cannot be charged: nothing is saved. */
function reportOfSetup(session: Stripe.Checkout.Session): SetupReport {
  const { id: sessionId } = session;
  const intent = typeof session.setup_intent === "object" ? session.setup_intent : null;
  const method = typeof intent?.payment_method === "object" ? intent.payment_method : null;
  if (intent?.status === "succeeded" && method !== null) {
    const facts = factsOf(method);
    const isAttached = facts.providerCustomerId !== "";
    return isAttached
      ? { state: "SAVED", sessionId, method: facts }
      : { state: "EXPIRED", sessionId };
  }
  if (session.status === "expired") return { state: "EXPIRED", sessionId };
  return { state: "PENDING", sessionId, setupUrl: session.url ?? "" };
}

function factsOf(method: Stripe.PaymentMethod): MethodFacts {
  const { card } = method;
  return {
    providerMethodId: method.id,
    providerCustomerId: idOf(method.customer),
    kind: kindOf(method.type),
    brand: card?.brand ?? "",
    last4: card?.last4 ?? "",
    expireMonth: card?.exp_month ?? 0,
    expireYear: card?.exp_year ?? 0,
  };
}
