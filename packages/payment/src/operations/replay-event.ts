import type { ProviderEvent } from "../domain/provider-event.ts";
import { readEvent, unparkEvent } from "../store/event-store.ts";
import type { PaymentDeps } from "./payment-deps.ts";
import { workEvents } from "./work-events.ts";

/** Lets a parked event be worked on again, and answers it as it then stands; undefined when there is none. */
export async function replayEvent(
  deps: PaymentDeps,
  of: { readonly provider: string; readonly eventId: string },
  signal: AbortSignal,
): Promise<ProviderEvent | undefined> {
  await unparkEvent(deps.pool, of, deps.clock.nowMs());
  await workEvents(deps, signal);
  return readEvent(deps.pool, of);
}
