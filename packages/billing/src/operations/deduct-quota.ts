import { AppError } from "@farebox/kit/app-error";
import type { Nanos } from "@farebox/kit/money";
import { inTransaction } from "@farebox/kit/mysql";
import type { Balance } from "../domain/account.ts";
import type { Charge } from "../domain/charge-check.ts";
import { lockOrCreateWallets } from "../store/load-settle-worlds.ts";
import { type ReleaseQuotaDeps, releaseQuota } from "./release-quota.ts";
import { type ChargeOutcome, type SettleChargesDeps, settleCharges } from "./settle-charges.ts";

export type DeductQuotaDeps = SettleChargesDeps & ReleaseQuotaDeps;

export type DeductQuotaInput = {
  readonly accountId: string;
  /** The lease that covers the charges, 32 hex digits; empty for none. */
  readonly leaseId: string;
  readonly charges: readonly Charge[];
  /** Whether to close the lease after the charges. */
  readonly close: boolean;
  /** With `close`: what the holder counted on the lease. */
  readonly finalTotal: Nanos | undefined;
};

export type DeductedQuota = {
  /** One per charge, in their order. */
  readonly outcomes: readonly ChargeOutcome[];
  readonly balance: Balance;
  readonly currencyCode: string;
};

/**
 * Charges what was used, each charge once by its request id, and closes the lease when asked to. A charge that is not
 * valid is answered REJECTED, and never undoes the others.
 *
 * The charges are durable before the lease is closed: when closing is refused, or this process dies in between, the
 * caller repeats the call and the charges are duplicates.
 *
 * Errors: ACCOUNT_NOT_FOUND, LEASE_NOT_FOUND, JOURNAL_BEHIND, UNAVAILABLE.
 */
export async function deductQuota(
  deps: DeductQuotaDeps,
  input: DeductQuotaInput,
): Promise<DeductedQuota> {
  const { accountId, leaseId, finalTotal } = input;
  await deps.facts.load([accountId]);
  const facts = deps.facts.get(accountId);
  if (facts === undefined) throw new AppError("ACCOUNT_NOT_FOUND");
  const { currencyCode } = facts;
  // A gateway closes its leases by the thousand, and has charged everything by the settlement stream before.
  const settled =
    input.charges.length === 0 && input.close
      ? nothingCharged
      : await settleCharges(deps, { ...input, facts });
  if (input.close && leaseId !== "") {
    const { wallet } = await releaseQuota(deps, { accountId, leaseId, finalTotal });
    return { outcomes: settled.outcomes, balance: wallet, currencyCode };
  }
  const balance = settled.wallet ?? (await readBalance(deps, accountId));
  return { outcomes: settled.outcomes, balance, currencyCode };
}

const nothingCharged = { outcomes: [], wallet: undefined } as const;

/** For calls without a valid charge. */
async function readBalance(deps: DeductQuotaDeps, accountId: string): Promise<Balance> {
  const wallets = await inTransaction(deps.pool, (tx) => lockOrCreateWallets(tx, [accountId]));
  const wallet = wallets.get(accountId);
  if (wallet === undefined) throw new AppError("ACCOUNT_NOT_FOUND");
  return wallet;
}
