import type { Clock } from "@farebox/kit/clock";
import { formatId, newUuid } from "@farebox/kit/ids";
import type { Nanos } from "@farebox/kit/money";
import type { Orm } from "@farebox/kit/orm";
import type { Account, DisconnectPolicy } from "../domain/account.ts";
import { findAccount, insertAccount } from "../store/account-store.ts";
import { requestOnce } from "../store/request-once.ts";
import { contentSha256 } from "./content-sha256.ts";

export type CreateAccountDeps = { readonly orm: Orm; readonly clock: Clock };

export type CreateAccountInput = {
  readonly requestId: string;
  readonly displayName: string;
  readonly currencyCode: string;
  readonly tenantId: string;
  readonly overdraftLimitNanos: Nanos;
  readonly disconnectPolicy: DisconnectPolicy;
};

/**
 * Makes an account with an empty balance. The same request id with the same content answers the same account, as it
 * stands by then.
 *
 * Errors: REQUEST_ID_REUSED.
 */
export async function createAccount(
  deps: CreateAccountDeps,
  input: CreateAccountInput,
): Promise<Account> {
  const nowMs = deps.clock.nowMs();
  const { requestId, ...facts } = input;
  const account: Account = { id: formatId("acc", newUuid()), createTimeMs: nowMs, ...facts };
  const { result } = await requestOnce(
    deps.orm,
    {
      accountId: "",
      method: "CreateAccount",
      requestId,
      sha256: contentSha256([
        facts.displayName,
        facts.currencyCode,
        facts.tenantId,
        facts.overdraftLimitNanos,
        facts.disconnectPolicy,
      ]),
      nowMs,
    },
    Buffer.from(account.id),
    (em) => insertAccount(em, account),
  );
  const accountId = Buffer.from(result).toString();
  const found = await deps.orm.read((em) => findAccount(em, accountId));
  return found?.account ?? account;
}
