import { AppError } from "@farebox/kit/app-error";
import type { Clock } from "@farebox/kit/clock";
import type { Pool } from "@farebox/kit/mysql";
import type { AccountFactsCache } from "../store/account-facts.ts";
import type { DeviceRateCards, DeviceRateSheet } from "./device-rate-cards.ts";

export type GetDeviceRateCardDeps = {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly facts: AccountFactsCache;
  readonly deviceRates: DeviceRateCards;
};

/** What devices cost an account from now on. Errors: ACCOUNT_NOT_FOUND, EXCHANGE_RATE_MISSING. */
export async function getDeviceRateCard(
  deps: GetDeviceRateCardDeps,
  accountId: string,
): Promise<DeviceRateSheet> {
  await deps.facts.load([accountId]);
  const facts = deps.facts.get(accountId);
  if (facts === undefined) throw new AppError("ACCOUNT_NOT_FOUND");
  return await deps.deviceRates.at(deps.pool, deps.clock.nowMs(), facts.currencyCode);
}
