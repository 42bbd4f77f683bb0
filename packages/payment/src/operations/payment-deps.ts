import type { Clock } from "@farebox/kit/clock";
import type { Pool } from "@farebox/kit/mysql";
import type { BillingPort } from "../billing-port.ts";
import type { PayableKind } from "../domain/method-capabilities.ts";
import type { PaymentEvents } from "../payment-events.ts";
import type { OnlineProvider, PaymentProvider } from "../providers/payment-provider.ts";

/** What every operation of Payment works with. */
export type PaymentDeps = {
  readonly pool: Pool;
  readonly clock: Clock;
  /** Collects by itself, and pays back. */
  readonly provider: OnlineProvider;
  /** Collects what people confirm. */
  readonly manual: PaymentProvider;
  readonly billing: BillingPort["billing"];
  readonly accounts: BillingPort["accounts"];
  readonly events: PaymentEvents;
  /** What can be paid with here. */
  readonly kinds: readonly PayableKind[];
};
