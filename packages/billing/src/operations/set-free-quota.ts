import type { Clock } from "@farebox/kit/clock";
import type { Orm } from "@farebox/kit/orm";
import type { FreeQuotaRule } from "../domain/free-quota.ts";
import type { LiveCatalogue } from "../prices/live-catalogue.ts";
import { upsertFreeQuotaRules } from "../store/free-quota-store.ts";

export type SetFreeQuotaDeps = {
  readonly orm: Orm;
  readonly clock: Clock;
  readonly catalogue: Pick<LiveCatalogue, "refresh">;
};

/** Sets what every account gets of a service in each period that begins from now on. Setting it twice changes nothing. */
export async function setFreeQuota(
  deps: SetFreeQuotaDeps,
  rule: FreeQuotaRule,
): Promise<FreeQuotaRule> {
  await deps.orm.write((em) => upsertFreeQuotaRules(em, [rule], deps.clock.nowMs()));
  await deps.catalogue.refresh();
  return rule;
}
