import { AppError, fieldError } from "@farebox/kit/app-error";
import type { Clock } from "@farebox/kit/clock";
import { newUuid } from "@farebox/kit/ids";
import { type Nanos, nanosMax } from "@farebox/kit/money";
import { inTransaction, type Pool, type PoolConnection } from "@farebox/kit/mysql";
import { fundsOf, grant, hasRoomFor, type Wallet } from "../domain/balance-moves.ts";
import type { CreditGrant, GrantKind } from "../domain/credit-grant.ts";
import type { AccountFactsCache } from "../store/account-facts.ts";
import { insertGrant, readGrant } from "../store/insert-grant.ts";
import { insertLedger } from "../store/insert-ledger.ts";
import { lockOrCreateWallets } from "../store/load-settle-worlds.ts";
import { moveWallets } from "../store/move-wallets.ts";
import { insertOnceKeys, readOnceKeys } from "../store/once-key-store.ts";
import { contentSha256 } from "./content-sha256.ts";

export type GrantCreditDeps = {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly facts: AccountFactsCache;
};

export type GrantCreditInput = {
  readonly requestId: string;
  readonly accountId: string;
  /** In the account's currency. */
  readonly amountNanos: Nanos;
  readonly kind: GrantKind;
  readonly priority: number;
  /** When the rest leaves the balance; undefined for never. */
  readonly expireTimeMs: number | undefined;
};

/** The grant as it stands, and the account's wallet. */
export type GrantedCredit = { readonly grant: CreditGrant; readonly wallet: Wallet };

const method = "GrantCredit";

/**
 * Adds credit to an account: it pays debt first, the rest can be spent. The same request id with the same content answers
 * the same grant and adds nothing, however long ago and however concurrently it arrives.
 *
 * Errors: INVALID_ARGUMENT for an amount that is not above zero or more than an account can hold, for a time that is past,
 * or for a request id that ends with a space, which MySQL takes for the id without it; ACCOUNT_NOT_FOUND, REQUEST_ID_REUSED, UNAVAILABLE.
 */
export async function grantCredit(
  deps: GrantCreditDeps,
  input: GrantCreditInput,
): Promise<GrantedCredit> {
  const { accountId, amountNanos, kind, priority, expireTimeMs, requestId } = input;
  if (requestId.endsWith(" ")) throw fieldError("request_id", "must not end with a space");
  if (amountNanos <= 0n || amountNanos > nanosMax) throw fieldError("amount", "must be above zero");
  if (kind === "PREPAID" && expireTimeMs !== undefined) {
    throw fieldError("expire_time", "must be unset for prepaid credit, which does not expire");
  }
  await deps.facts.load([accountId]);
  if (deps.facts.get(accountId) === undefined) throw new AppError("ACCOUNT_NOT_FOUND");
  const content = [amountNanos, kind, priority, expireTimeMs];
  const sha256 = contentSha256(content).toString("hex");
  return inTransaction(deps.pool, async (tx) => {
    const before = (await lockOrCreateWallets(tx, [accountId])).get(accountId);
    if (before === undefined) throw new AppError("ACCOUNT_NOT_FOUND");
    const known = await readOnceKeys(tx, { accountId, method, requestIds: [requestId] });
    const first = known.get(requestId);
    if (first === undefined) return addGrant(tx, deps.clock.nowMs(), { ...input, sha256, before });
    if (first.sha256 !== sha256) throw new AppError("REQUEST_ID_REUSED");
    const granted = await readGrant(tx, accountId, first.result);
    if (granted === undefined) throw new Error(`grant ${first.result} is gone`);
    return { grant: granted, wallet: before };
  });
}

async function addGrant(
  tx: PoolConnection,
  nowMs: number,
  input: GrantCreditInput & { readonly sha256: string; readonly before: Wallet },
): Promise<GrantedCredit> {
  const { accountId, amountNanos, kind, before, requestId, sha256 } = input;
  if (input.expireTimeMs !== undefined && input.expireTimeMs <= nowMs) {
    throw fieldError("expire_time", "must be in the future");
  }
  if (!hasRoomFor(before, amountNanos)) {
    throw fieldError("amount", "is more than the account can hold together with what it has");
  }
  const move = grant(before, amountNanos);
  const isOpen = amountNanos > move.paid;
  const wallet = isOpen ? { ...move.wallet, openGrants: move.wallet.openGrants + 1 } : move.wallet;
  const id = newUuid();
  const granted: CreditGrant = {
    id,
    accountId,
    kind,
    priority: input.priority,
    amountNanos,
    remainingNanos: amountNanos - move.paid,
    expiredNanos: 0n,
    expireTimeMs: input.expireTimeMs,
    createTimeMs: nowMs,
  };
  const reference = id.toString("hex");
  const debit = kind === "PREPAID" ? "cash" : "promotions";
  const entry = { accountId, reference, amount: amountNanos, balanceAfter: fundsOf(wallet) };
  await moveWallets(tx, [{ accountId, before, after: wallet }]);
  await insertGrant(tx, granted);
  await insertLedger(tx, [{ ...entry, kind: "GRANT", debit, credit: "customer_funds" }], nowMs);
  const key = { requestId, sha256, result: reference };
  await insertOnceKeys(tx, { accountId, method, nowMs }, [key]);
  return { grant: granted, wallet };
}
