import { insertEvent } from "../store/event-store.ts";
import type { PaymentDeps } from "./payment-deps.ts";

/**
 * Keeps what a provider told. It is worked on afterwards: once this resolves it is not lost, and the provider may forget it.
 * Told again it changes nothing. Errors: WEBHOOK_FORGED, UNAVAILABLE.
 */
export async function hearWebhook(
  { pool, provider, clock }: Pick<PaymentDeps, "pool" | "provider" | "clock">,
  body: Buffer,
  signature: string,
): Promise<void> {
  const event = provider.readWebhook(body, signature);
  await insertEvent(pool, { ...event, provider: provider.name }, clock.nowMs());
}
