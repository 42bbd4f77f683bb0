import type { Nanos } from "@farebox/kit/money";
import { expire, fundsOf, type Wallet } from "./balance-moves.ts";
import { expiredParts, type GrantBurn, type OpenGrant } from "./burn-grants.ts";

/** A wallet after what is due of its grants has left it. */
export type Expiry = {
  readonly wallet: Wallet;
  readonly parts: readonly GrantBurn[];
  /** One ledger entry a part. */
  readonly ledger: readonly ExpiryEntry[];
};

export type ExpiryEntry = {
  readonly accountId: string;
  /** The grant, and how much of it has expired with this entry: a grant may expire in several parts. */
  readonly reference: string;
  readonly amount: Nanos;
  readonly balanceAfter: Nanos;
};

/** Takes out of a wallet what is left of grants whose time is up, but for what open leases may still spend. */
export function expireDue(wallet: Wallet, grants: readonly OpenGrant[], nowMs: number): Expiry {
  const parts = expiredParts(grants, wallet, nowMs);
  const ledger: ExpiryEntry[] = [];
  let after = wallet;
  for (const { grant, amount } of parts) {
    const move = expire(after, amount);
    const isUsedUp = grant.remaining === amount;
    after = isUsedUp ? { ...move.wallet, openGrants: move.wallet.openGrants - 1 } : move.wallet;
    ledger.push({
      accountId: grant.accountId,
      reference: `${grant.id}/${grant.expired + amount}`,
      amount: move.ledgerAmount,
      balanceAfter: fundsOf(after),
    });
  }
  return { wallet: after, parts, ledger };
}
