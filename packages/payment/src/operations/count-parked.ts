import { countParkedEvents } from "../store/event-store.ts";
import { countParkedPayments } from "../store/payment-store.ts";
import type { PaymentDeps } from "./payment-deps.ts";

const countMax = 10_000;

/** Counts what waits for a person, for the alarm. */
export async function countParked({ pool, events }: PaymentDeps): Promise<void> {
  events.parkedCounted({
    payments: await countParkedPayments(pool, countMax),
    events: await countParkedEvents(pool, countMax),
  });
}
