import { maxNanos, minNanos, type Nanos } from "@farebox/kit/money";

/** A credit grant with something left of it. `id` is 32 lower-case hex digits and sorts by age. */
export type OpenGrant = {
  readonly accountId: string;
  readonly id: string;
  readonly priority: number;
  readonly remaining: Nanos;
  readonly expired: Nanos;
  /** When the rest leaves the balance; undefined for never. */
  readonly expireTimeMs: number | undefined;
};

/** How much of one grant is taken. */
export type GrantBurn = { readonly grant: OpenGrant; readonly amount: Nanos };

/** Puts grants in the order they are used: highest priority, then soonest expiry (never last), then oldest. */
export function inBurnOrder(grants: readonly OpenGrant[]): readonly OpenGrant[] {
  return [...grants].sort(
    (a, b) =>
      b.priority - a.priority ||
      compare(a.expireTimeMs ?? Infinity, b.expireTimeMs ?? Infinity) ||
      compare(a.id, b.id),
  );
}

/** Spends an amount out of grants, in order; what they do not cover was paid money. Grants left untouched are left out. */
export function burnGrants(grants: readonly OpenGrant[], amount: Nanos): readonly GrantBurn[] {
  const burns: GrantBurn[] = [];
  let left = amount;
  for (const grant of inBurnOrder(grants)) {
    if (left === 0n) break;
    const burned = minNanos(grant.remaining, left);
    left -= burned;
    if (burned > 0n) burns.push({ grant, amount: burned });
  }
  return burns;
}

/**
 * What leaves the balance of grants whose time is up. Open leases may still spend what they hold, and they burn grants in
 * order: so much of the order is spared, and only the rest of an expired grant goes. It is never more than is available.
 */
export function expiredParts(
  grants: readonly OpenGrant[],
  money: { readonly available: Nanos; readonly held: Nanos },
  nowMs: number,
): readonly GrantBurn[] {
  const parts: GrantBurn[] = [];
  let spared = money.held;
  let available = money.available;
  for (const grant of inBurnOrder(grants)) {
    const needed = minNanos(grant.remaining, spared);
    spared -= needed;
    if (grant.expireTimeMs === undefined || grant.expireTimeMs > nowMs) continue;
    const amount = minNanos(grant.remaining - needed, available);
    available -= amount;
    if (amount > 0n) parts.push({ grant, amount });
  }
  return parts;
}

/**
 * Gives up, in order, what grants promise beyond the money behind them: after a refund or dispute took funds that they
 * counted on. `funds` is what is available and held, less what refunds have reserved.
 */
export function burnUnfunded(grants: readonly OpenGrant[], funds: Nanos): readonly GrantBurn[] {
  const promised = grants.reduce((total, grant) => total + grant.remaining, 0n);
  return burnGrants(grants, maxNanos(0n, promised - maxNanos(0n, funds)));
}

/** The grants as they are after some of them was taken; those used up are left out. */
export function afterBurns(
  grants: readonly OpenGrant[],
  burns: readonly GrantBurn[],
): readonly OpenGrant[] {
  const taken = new Map(burns.map((burn) => [burn.grant.id, burn.amount]));
  return grants
    .map((grant) => ({ ...grant, remaining: grant.remaining - (taken.get(grant.id) ?? 0n) }))
    .filter((grant) => grant.remaining > 0n);
}

function compare<T extends number | string>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
