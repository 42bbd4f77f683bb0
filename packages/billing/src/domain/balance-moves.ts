import { maxNanos, minNanos, type Nanos, nanosMax } from "@farebox/kit/money";
import type { Balance } from "./account.ts";

/** An account's balance, and what bounds it: the row that every move of its money locks. */
export type Wallet = Balance & {
  /** How far new calls may go into debt. */
  readonly overdraftLimit: Nanos;
  readonly openLeases: number;
  /** Grants with something left of them. */
  readonly openGrants: number;
};

/** A wallet after a move, and by how much the move changed the account's funds: what the ledger records. */
export type WalletMove = { readonly wallet: Wallet; readonly ledgerAmount: Nanos };

/** The account's own funds, negative in debt: the sum of its ledger entries. */
export function fundsOf(wallet: Wallet): Nanos {
  return wallet.available + wallet.held - wallet.receivable;
}

/** The most that can be held now: what is available, and the debt that is still allowed. */
export function spendableOf(wallet: Wallet): Nanos {
  return wallet.available + overdraftRoomOf(wallet);
}

/** True when the account owes all that it may, so that no new call begins. */
export function isInDebtAtLimit(wallet: Wallet): boolean {
  return wallet.receivable > 0n && wallet.receivable >= wallet.overdraftLimit;
}

/** Whether a wallet with so much more credited or owed still fits its columns, sums of terms included. */
export function hasRoomFor(wallet: Wallet, more: Nanos): boolean {
  return wallet.credited + wallet.receivable + more <= nanosMax;
}

/** Moves an amount into `held`: from what is available, the rest as debt. The caller has checked `spendableOf`. */
export function hold(wallet: Wallet, amount: Nanos): WalletMove {
  const drawn = minNanos(wallet.available, amount);
  return {
    wallet: {
      ...wallet,
      available: wallet.available - drawn,
      held: wallet.held + amount,
      receivable: wallet.receivable + amount - drawn,
    },
    ledgerAmount: 0n,
  };
}

/** Returns a held amount: it pays debt first, the rest becomes available. */
export function release(wallet: Wallet, amount: Nanos): WalletMove {
  const paid = minNanos(wallet.receivable, amount);
  return {
    wallet: {
      ...wallet,
      available: wallet.available + amount - paid,
      held: wallet.held - amount,
      receivable: wallet.receivable - paid,
    },
    ledgerAmount: 0n,
  };
}

/** Spends: `fromHeld` out of what is held, `excess` out of what is available and then as debt, which has no limit here. */
export function settle(wallet: Wallet, fromHeld: Nanos, excess: Nanos): WalletMove {
  const drawn = minNanos(wallet.available, excess);
  return {
    wallet: {
      ...wallet,
      available: wallet.available - drawn,
      held: wallet.held - fromHeld,
      spent: wallet.spent + fromHeld + excess,
      receivable: wallet.receivable + excess - drawn,
    },
    ledgerAmount: -(fromHeld + excess),
  };
}

/** Adds credit: it pays debt first. `paid` is that part, which is used up at once. */
export function grant(wallet: Wallet, amount: Nanos): WalletMove & { readonly paid: Nanos } {
  const paid = minNanos(wallet.receivable, amount);
  return {
    wallet: {
      ...wallet,
      available: wallet.available + amount - paid,
      credited: wallet.credited + amount,
      receivable: wallet.receivable - paid,
    },
    ledgerAmount: amount,
    paid,
  };
}

/** Takes expired credit out of what is available; the caller has checked that it is. */
export function expire(wallet: Wallet, amount: Nanos): WalletMove {
  return {
    wallet: {
      ...wallet,
      available: wallet.available - amount,
      credited: wallet.credited - amount,
    },
    ledgerAmount: -amount,
  };
}

/**
 * Takes recharged money back: `fromHeld` out of what a refund reserved, `excess` out of what is available and then as debt,
 * which has no limit here. The caller has checked that no more is taken than was credited.
 */
export function takeBack(wallet: Wallet, fromHeld: Nanos, excess: Nanos): WalletMove {
  const drawn = minNanos(wallet.available, excess);
  return {
    wallet: {
      ...wallet,
      available: wallet.available - drawn,
      held: wallet.held - fromHeld,
      credited: wallet.credited - fromHeld - excess,
      receivable: wallet.receivable + excess - drawn,
    },
    ledgerAmount: -(fromHeld + excess),
  };
}

/** Debt that is still allowed; never so much that the sums of terms outgrow their columns. */
function overdraftRoomOf(wallet: Wallet): Nanos {
  const allowed = minNanos(wallet.overdraftLimit, nanosMax - wallet.credited);
  return maxNanos(0n, allowed - wallet.receivable);
}
