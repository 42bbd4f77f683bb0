import type { Nanos } from "@farebox/kit/money";

/** A running device's money. */
export type MoneySight = {
  /** All that was ever held for it. */
  readonly held: Nanos;
  /** What it has come to cost. */
  readonly spent: Nanos;
  /** What the rest of the term may cost, traffic apart. */
  readonly restCost: Nanos;
  /** What is to be held for traffic beyond that. */
  readonly trafficCost: Nanos;
};

/** How much more is to be held; 0 while at least half of the margin for traffic is left, so that not every tick asks. */
export function shortage({ held, spent, restCost, trafficCost }: MoneySight): Nanos {
  const free = held - spent;
  if (free >= restCost + trafficCost / 2n) return 0n;
  return restCost + trafficCost - free;
}

export type MoneyPlan =
  | { readonly kind: "enough" }
  /** It ends before the term does. */
  | { readonly kind: "warn"; readonly endsMs: number }
  /** It has ended: the device stops at `stopMs`. */
  | { readonly kind: "grace"; readonly stopMs: number };

/**
 * What becomes of a device for which no more can be held. It goes on for as long as what is held lasts, and the grace period
 * after that: the possible overshoot is what the grace period costs.
 */
export function planMoney(
  sight: Pick<MoneySight, "held" | "spent" | "restCost">,
  time: {
    readonly nowMs: number;
    readonly restMs: number;
    readonly graceMs: number;
    readonly warnMs: number;
    /** When it is to stop, if that was said before. */
    readonly stopMs: number | undefined;
  },
): MoneyPlan {
  const free = sight.held - sight.spent;
  if (free <= 0n) {
    return { kind: "grace", stopMs: time.stopMs ?? time.nowMs + time.graceMs };
  }
  if (free >= sight.restCost) return { kind: "enough" };
  const leftMs = Number((free * BigInt(Math.trunc(time.restMs))) / sight.restCost);
  if (leftMs > time.warnMs) return { kind: "enough" };
  return { kind: "warn", endsMs: time.nowMs + leftMs };
}
