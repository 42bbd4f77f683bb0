import type { Orm } from "@farebox/kit/orm";
import type { FreeQuotaRule } from "../domain/free-quota.ts";
import { listFreeQuotaRules } from "../store/free-quota-store.ts";

/** Lists what every account gets for nothing, by service; rules that have ended are left out. */
export async function listFreeQuotas(deps: {
  readonly orm: Orm;
}): Promise<readonly FreeQuotaRule[]> {
  const rules = await deps.orm.read(listFreeQuotaRules);
  return rules.filter((rule) => rule.amount > 0n);
}
