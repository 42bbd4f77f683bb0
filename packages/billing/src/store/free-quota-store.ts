import type { EntityManager } from "@mikro-orm/mysql";
import { type FreeQuota, type FreeQuotaRule, freeUnits } from "../domain/free-quota.ts";
import { periodAt } from "../domain/quota-period.ts";
import { oneOf, toFreeQuotaRule } from "./mapping.ts";
import { FreeQuotaPeriodRow, FreeQuotaRuleRow } from "./tables.ts";

/** Every rule, by service; those that have ended (amount 0) too. There are few: one a service. */
export async function listFreeQuotaRules(em: EntityManager): Promise<readonly FreeQuotaRule[]> {
  const rows = await em.find(FreeQuotaRuleRow, {}, { orderBy: { service: "asc" }, limit: 10_000 });
  return rows.map(toFreeQuotaRule);
}

/** Sets rules, each by its service. Setting one as it is changes nothing. */
export async function upsertFreeQuotaRules(
  em: EntityManager,
  rules: readonly FreeQuotaRule[],
  nowMs: number,
): Promise<void> {
  if (rules.length === 0) return;
  await em.upsertMany(
    FreeQuotaRuleRow,
    rules.map((rule) => ({
      service: rule.service,
      period: rule.period,
      freeUnit: rule.unit,
      amount: rule.amount,
      updateTime: new Date(nowMs),
    })),
  );
}

/** What an account has for nothing now: by service, periods included that no call has begun yet. */
export async function currentFreeQuotas(
  em: EntityManager,
  accountId: string,
  nowMs: number,
): Promise<readonly FreeQuota[]> {
  const rules = await listFreeQuotaRules(em);
  const spans = rules.map((rule) => ({ rule, ...periodAt(rule.period, nowMs) }));
  if (spans.length === 0) return [];
  const begun = await em.find(FreeQuotaPeriodRow, {
    accountId,
    $or: spans.map(({ rule, startMs }) => ({
      service: rule.service,
      periodStart: new Date(startMs),
    })),
  });
  return spans.flatMap(({ rule, startMs, endMs }) => {
    const row = begun.find((it) => it.service === rule.service);
    if (row === undefined && rule.amount === 0n) return [];
    const { service, period, amount } = rule;
    const unit = row ? oneOf(freeUnits, row.freeUnit.toUpperCase()) : rule.unit;
    return [
      {
        service,
        unit,
        period,
        startMs,
        endMs,
        unitsGranted: row?.unitsGranted ?? amount,
        unitsAvailable: row?.unitsAvailable ?? amount,
        unitsHeld: row?.unitsHeld ?? 0n,
        unitsUsed: row?.unitsUsed ?? 0n,
      },
    ];
  });
}
