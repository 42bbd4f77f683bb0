import type { AccountFacts } from "../domain/judge-item.ts";
import { isAccountId } from "../domain/plain-text.ts";
import type { JudgedItem } from "../domain/settle-plan.ts";
import { uuidFloorHex } from "../domain/usage-day.ts";
import type { NewDeadLetter } from "../store/insert-dead-letters.ts";

/** Items by the accounts that pay for them, in the order of the accounts. */
export type AccountBatch = {
  readonly accounts: readonly AccountItems[];
  /** Items of accounts that do not exist: put aside at once, nothing is held for them. */
  readonly strays: readonly NewDeadLetter[];
  /** Ids below this belong to days that are no longer kept. */
  readonly oldestKeptId: string;
  /** Whether some item does. */
  readonly hasOld: boolean;
};

/** One account's items, and where in the batch they stood. */
export type AccountItems = {
  readonly accountId: string;
  readonly facts: AccountFacts;
  readonly items: JudgedItem[];
  readonly positions: number[];
};

/** Sorts a batch into accounts. */
export function groupByAccount(
  judged: readonly JudgedItem[],
  facts: { get(accountId: string): AccountFacts | undefined },
  oldestKeptDayMs: number,
): AccountBatch {
  const byAccount = new Map<string, AccountItems>();
  const strays: NewDeadLetter[] = [];
  const oldestKeptId = uuidFloorHex(oldestKeptDayMs);
  let hasOld = false;
  judged.forEach((one, position) => {
    const { accountId } = one.item;
    let account = byAccount.get(accountId);
    if (account === undefined) {
      const known = facts.get(accountId);
      if (known === undefined) {
        strays.push(strayOf(one));
        return;
      }
      account = { accountId, facts: known, items: [], positions: [] };
      byAccount.set(accountId, account);
    }
    account.items.push(one);
    account.positions.push(position);
    if (one.item.id < oldestKeptId) hasOld = true;
  });
  const accounts = [...byAccount.values()].sort((a, b) => (a.accountId < b.accountId ? -1 : 1));
  return { accounts, strays, oldestKeptId, hasOld };
}

function strayOf({ item, key, fault }: JudgedItem): NewDeadLetter {
  return {
    accountId: isAccountId(item.accountId) ? item.accountId : "",
    key,
    encoded: item.encoded,
    reason: fault?.reason ?? "ACCOUNT_NOT_FOUND",
    field: fault?.field ?? "account_id",
    leaseId: item.leaseId.length === 32 ? item.leaseId : "",
    held: 0n,
  };
}
