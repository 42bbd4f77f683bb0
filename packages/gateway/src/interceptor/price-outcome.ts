import type { Nanos } from "@farebox/kit/money";
import { nanosMax } from "@farebox/kit/money";
import { charge } from "@farebox/pricing/charge";
import type { CompiledPrice } from "@farebox/pricing/compiled-price";
import { completionTokens, promptTokens, type Usage } from "@farebox/pricing/usage";
import { UsageError } from "@farebox/pricing/usage-error";
import type { Reservation } from "./lease/lease.ts";

/** What a usage costs its reservation. */
export type PricedUsage = {
  readonly costNanos: Nanos;
  /** Free units burned; above zero means that the call is free. */
  readonly freeUnits: number;
  /** Whether Billing is to put the item aside for an operator instead of charging it. */
  readonly isQuarantined: boolean;
};

/**
 * Prices a usage: in free units when the call was admitted on them, else in money. A usage that is absurd, or has no price,
 * is quarantined at what the call had reserved, so that its money stays held until an operator has judged it.
 */
export function priceUsage(
  price: CompiledPrice,
  reservation: Reservation,
  usage: Usage,
  isAbsurd: boolean,
): PricedUsage {
  if (reservation.units > 0) {
    const freeUnits = isAbsurd ? reservation.units : unitsOf(reservation, usage);
    return { costNanos: 0n, freeUnits, isQuarantined: isAbsurd };
  }
  const costNanos = isAbsurd ? undefined : chargeIfPriced(price, usage);
  if (costNanos === undefined || costNanos > nanosMax) {
    return { costNanos: reservation.nanos, freeUnits: 0, isQuarantined: true };
  }
  return { costNanos, freeUnits: 0, isQuarantined: false };
}

/** Units as the lease counts them. A call that did anything burns at least one, or it would have to be paid. */
function unitsOf({ lease }: Reservation, usage: Usage): number {
  if (lease?.freeUnit === "requests") return 1;
  return Math.max(1, promptTokens(usage) + completionTokens(usage));
}

function chargeIfPriced(price: CompiledPrice, usage: Usage): Nanos | undefined {
  try {
    return charge(price, usage);
  } catch (error) {
    if (error instanceof UsageError) return undefined;
    throw error;
  }
}
