import type Stripe from "stripe";
import { type EmulatedState, emulatedVersion, keep, newStripeId } from "./emulated-state.ts";

/** Where money is moved at: what is known, and who is told of it. */
export type Desk = {
  readonly state: EmulatedState;
  /** Makes the event of a change, keeps it and sends it. */
  say(type: string, object: object): void;
};

/** Opens the desk of a state; `tell` sends its events. */
export function openDesk(state: EmulatedState, tell: (event: Stripe.Event) => void): Desk {
  return {
    state,
    say: (type, object) => {
      const event = {
        id: newStripeId("evt"),
        object: "event",
        api_version: emulatedVersion,
        created: state.now(),
        data: { object: JSON.parse(JSON.stringify(object)) },
        livemode: false,
        pending_webhooks: 1,
        request: { id: null, idempotency_key: null },
        type,
      };
      tell(keep(state.events, asEvent(event)));
    },
  };
}

/** Sound for what the desks say: type and object are a pair of Stripe's, which its union of types cannot be told here. */
function asEvent(event: object): Stripe.Event {
  return event as Stripe.Event;
}
