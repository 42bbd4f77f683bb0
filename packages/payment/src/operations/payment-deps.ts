import type { Clock } from "@farebox/kit/clock";
import type { Pool } from "@farebox/kit/mysql";
import type { BillingPort } from "../billing-port.ts";
import type { PayableKind } from "../domain/method-capabilities.ts";
import type { PaymentEvents } from "../payment-events.ts";
import type { PaymentProvider } from "../providers/payment-provider.ts";

/** What every operation of Payment works with. */
export type PaymentDeps = {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly provider: PaymentProvider;
  readonly billing: BillingPort["billing"];
  readonly events: PaymentEvents;
  /** What can be paid with here. */
  readonly kinds: readonly PayableKind[];
};
