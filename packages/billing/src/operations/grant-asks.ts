import { AppError } from "@farebox/kit/app-error";
import type { Clock } from "@farebox/kit/clock";
import { inTransaction, type Pool } from "@farebox/kit/mysql";
import { type AskAnswer, type LeaseAsk, planGrants } from "../domain/grant-plan.ts";
import type { MoneyEvents } from "../events.ts";
import type { AccountFactsCache } from "../store/account-facts.ts";
import { createAccounts } from "../store/create-accounts.ts";
import { type AsksOfAccount, loadGrantWorlds } from "../store/load-grant-worlds.ts";
import { saveGrants } from "../store/save-grants.ts";

export type GrantAsksDeps = {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly facts: AccountFactsCache;
  readonly events: MoneyEvents;
  /** The currency of accounts that services may create by naming them; undefined when they may not. */
  readonly autoCreateCurrency: string | undefined;
};

/** An ask, and whether its account is made when it does not exist. */
export type SubmittedAsk = { readonly ask: LeaseAsk; readonly mayCreateAccount: boolean };

/**
 * Answers asks of any accounts in one transaction, one answer per ask, in their order. Asks of one account see each
 * other: together they never get more than there is. One refused ask never undoes another.
 *
 * Repeated, an ask is answered the same and moves nothing. Errors: UNAVAILABLE, after which the caller repeats the asks.
 */
export async function grantAsks(
  deps: GrantAsksDeps,
  asks: readonly SubmittedAsk[],
): Promise<readonly AskAnswer[]> {
  try {
    return await grantTogether(deps, asks);
  } catch (error) {
    if (error instanceof AppError || asks.length <= 1) throw error;
    // One ask that the database cannot take must not fail its neighbours.
    const answers: AskAnswer[] = [];
    for (const ask of asks) answers.push(...(await grantTogether(deps, [ask])));
    return answers;
  }
}

async function grantTogether(
  deps: GrantAsksDeps,
  asks: readonly SubmittedAsk[],
): Promise<readonly AskAnswer[]> {
  const startMs = deps.clock.monotonicMs();
  await loadAccounts(deps, asks);
  const answers = new Array<AskAnswer>(asks.length).fill({
    kind: "refuse",
    reason: "ACCOUNT_NOT_FOUND",
  });
  const accounts = groupAsks(deps, asks);
  if (accounts.length > 0) {
    const plans = await inTransaction(deps.pool, async (tx) => {
      const nowMs = deps.clock.nowMs();
      const worlds = await loadGrantWorlds(tx, accounts, nowMs);
      const planned = worlds.map((world, index) => planGrants(world, accounts[index]?.asks ?? []));
      await saveGrants(tx, planned, nowMs);
      return planned;
    });
    accounts.forEach(({ positions }, index) => {
      plans[index]?.answers.forEach((answer, at) => {
        const position = positions[at];
        if (position !== undefined) answers[position] = answer;
      });
    });
  }
  deps.events.asksAnswered(answers, deps.clock.monotonicMs() - startMs);
  return answers;
}

async function loadAccounts(deps: GrantAsksDeps, asks: readonly SubmittedAsk[]): Promise<void> {
  const { facts, autoCreateCurrency } = deps;
  await facts.load(asks.map(({ ask }) => ask.accountId));
  if (autoCreateCurrency === undefined) return;
  const missing = new Set<string>();
  for (const { ask, mayCreateAccount } of asks) {
    if (mayCreateAccount && facts.get(ask.accountId) === undefined) missing.add(ask.accountId);
  }
  if (missing.size === 0) return;
  await createAccounts(deps.pool, {
    accountIds: [...missing],
    currencyCode: autoCreateCurrency,
    nowMs: deps.clock.nowMs(),
  });
  await facts.load(missing);
}

type PlacedAsks = AsksOfAccount & { readonly asks: LeaseAsk[]; readonly positions: number[] };

/** Asks by account, in the order of the accounts. Those of accounts that do not exist are left out. */
function groupAsks(deps: GrantAsksDeps, asks: readonly SubmittedAsk[]): readonly PlacedAsks[] {
  const byAccount = new Map<string, PlacedAsks>();
  asks.forEach(({ ask }, position) => {
    const { accountId } = ask;
    const currencyCode = deps.facts.get(accountId)?.currencyCode;
    if (currencyCode === undefined) return;
    const account = byAccount.get(accountId) ?? {
      accountId,
      currencyCode,
      asks: [],
      positions: [],
    };
    account.asks.push(ask);
    account.positions.push(position);
    byAccount.set(accountId, account);
  });
  return [...byAccount.values()].sort((a, b) => (a.accountId < b.accountId ? -1 : 1));
}
