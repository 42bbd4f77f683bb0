import { fieldError } from "@farebox/kit/app-error";
import type { Orm } from "@farebox/kit/orm";
import type { RpcImpl } from "@farebox/kit/rpc-context";
import { GrantKind } from "@farebox/proto/farebox/billing/v1/account";
import type { AccountService } from "@farebox/proto/farebox/billing/v1/account_service";
import { grantKinds } from "../domain/credit-grant.ts";
import { accountCurrency } from "../operations/account-currency.ts";
import type { GrantCreditInput, GrantedCredit } from "../operations/grant-credit.ts";
import { toProtoBalance, toProtoCreditGrant } from "./convert-account.ts";
import { fromMoney } from "./convert-money.ts";
import { fromTimestamp } from "./convert-time.ts";
import { wordOf } from "./convert-word.ts";

export type GrantCreditMethodDeps = {
  readonly orm: Orm;
  /** The settlement engine's own: credit moves money. */
  readonly grantCredit: (input: GrantCreditInput) => Promise<GrantedCredit>;
};

/** `AccountService.GrantCredit`. */
export function grantCreditMethod(
  deps: GrantCreditMethodDeps,
): RpcImpl<typeof AccountService>["grantCredit"] {
  return async ({ requestId, accountId, amount, kind, priority, expireTime }) => {
    if (amount === undefined) throw fieldError("amount", "is missing");
    const currencyCode = await accountCurrency(deps.orm, accountId);
    const { grant, wallet } = await deps.grantCredit({
      requestId,
      accountId,
      amountNanos: fromMoney(amount, currencyCode, "amount"),
      kind: wordOf(grantKinds, GrantKind, kind) ?? "PROMOTIONAL",
      priority,
      expireTimeMs: fromTimestamp(expireTime, "expire_time"),
    });
    return {
      grant: toProtoCreditGrant(grant, currencyCode),
      balance: toProtoBalance(wallet, currencyCode),
    };
  };
}
