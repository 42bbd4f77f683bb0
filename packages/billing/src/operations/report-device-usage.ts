import { AppError, fieldError } from "@farebox/kit/app-error";
import type { Clock } from "@farebox/kit/clock";
import { newUuid } from "@farebox/kit/ids";
import { nanosMax } from "@farebox/kit/money";
import { inTransaction, isDuplicate, type Pool, type PoolConnection } from "@farebox/kit/mysql";
import { chargeDevice } from "@farebox/pricing/device-charge";
import type { Balance } from "../domain/account.ts";
import { deviceItem } from "../domain/device-item.ts";
import {
  type DeviceReport,
  decideReport,
  type ReportDecision,
  usageOf,
} from "../domain/device-report.ts";
import type { AccountFacts } from "../domain/judge-item.ts";
import { planSettlement, type SettlePlan, type SettleStatus } from "../domain/settle-plan.ts";
import type { MoneyEvents } from "../events.ts";
import type { AccountFactsCache } from "../store/account-facts.ts";
import {
  type DeviceChargeRow,
  type DeviceMeter,
  hasOverlap,
  insertDeviceCharge,
  isDeviceRequestUsed,
  keepRateCard,
  lockMeter,
  readDeviceCharge,
  saveMeter,
} from "../store/device-charge-store.ts";
import { loadSettleWorlds, lockOrCreateWallets } from "../store/load-settle-worlds.ts";
import { savePlans } from "../store/save-plans.ts";
import { contentSha256 } from "./content-sha256.ts";
import type { DeviceRateCards, DeviceRateSheet } from "./device-rate-cards.ts";
import { type ReleaseQuotaDeps, releaseQuota } from "./release-quota.ts";

export type ReportDeviceUsageDeps = ReleaseQuotaDeps & {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly facts: AccountFactsCache;
  readonly events: Pick<MoneyEvents, "usageSettled">;
  readonly deviceRates: DeviceRateCards;
};

export type ReportDeviceUsageInput = {
  readonly report: DeviceReport;
  /** Empty leaves it unsaid. */
  readonly tenantId: string;
  /** Whether to close the report's lease after the charge. */
  readonly close: boolean;
};

/** What came of a report. */
export type ReportedDeviceUsage = {
  readonly status: SettleStatus;
  /** What was charged, now or before. */
  readonly charge: DeviceChargeRow;
  readonly balance: Balance;
  readonly currencyCode: string;
};

/**
 * Charges what an allocation used within a period, each period once: out of the lease, then of what is available, then as
 * debt. A repeated report is answered with the charge before, whatever its request id and whatever rates have become.
 *
 * The charge is durable before the lease is closed: when closing is refused, or this process dies in between, the caller
 * repeats the report.
 *
 * Errors: INVALID_ARGUMENT, ACCOUNT_NOT_FOUND, LEASE_NOT_FOUND, JOURNAL_BEHIND, REQUEST_ID_REUSED, DEVICE_PERIOD_CONFLICT,
 * EXCHANGE_RATE_MISSING, USAGE_ABSURD, UNAVAILABLE.
 */
export async function reportDeviceUsage(
  deps: ReportDeviceUsageDeps,
  input: ReportDeviceUsageInput,
): Promise<ReportedDeviceUsage> {
  const { report, tenantId } = input;
  const { accountId, leaseId } = report;
  await deps.facts.load([accountId]);
  const facts = deps.facts.get(accountId);
  if (facts === undefined) throw new AppError("ACCOUNT_NOT_FOUND");
  if (tenantId !== "" && tenantId !== facts.tenantId) {
    throw fieldError("tenant_id", "is not the account's");
  }
  const startMs = deps.clock.monotonicMs();
  const charged = await chargeOnce(deps, { report, facts, sha256: sha256Of(report) });
  const { status, charge, plan, hasLease } = charged;
  const { currencyCode } = facts;
  if (plan !== undefined) {
    const elapsedMs = deps.clock.monotonicMs() - startMs;
    deps.events.usageSettled({ statuses: plan.statuses, plans: [plan], elapsedMs });
  }
  if (!input.close || !hasLease) return { status, charge, balance: charged.balance, currencyCode };
  const { wallet } = await releaseQuota(deps, { accountId, leaseId, finalTotal: undefined });
  return { status, charge, balance: wallet, currencyCode };
}

/** A report with what its charge depends on. */
type Charging = {
  readonly report: DeviceReport;
  readonly facts: AccountFacts;
  readonly sha256: string;
};

type Charged = Omit<ReportedDeviceUsage, "currencyCode"> & {
  /** Undefined for a repetition. */
  readonly plan: SettlePlan | undefined;
  /** Whether there is a lease that could be closed. */
  readonly hasLease: boolean;
};

/** Two allocations that are reported at once under one request id meet at its unique key: the second looks again. */
async function chargeOnce(deps: ReportDeviceUsageDeps, charging: Charging): Promise<Charged> {
  try {
    return await inTransaction(deps.pool, (tx) => chargeWithin(tx, deps, charging));
  } catch (error) {
    if (!isDuplicate(error)) throw error;
    return await inTransaction(deps.pool, (tx) => chargeWithin(tx, deps, charging));
  }
}

async function chargeWithin(
  tx: PoolConnection,
  deps: ReportDeviceUsageDeps,
  charging: Charging,
): Promise<Charged> {
  const { report, facts, sha256 } = charging;
  const nowMs = deps.clock.nowMs();
  // Before anything else is locked: the periods of an allocation are charged one after another.
  const meter = await lockMeter(tx, report);
  const samePeriod = await readDeviceCharge(tx, report);
  const decision = decideReport(
    { ...report, sha256 },
    {
      ownerId: meter.accountId,
      samePeriod,
      isRequestUsed: await isDeviceRequestUsed(tx, report),
      isOverlapping: await hasOverlap(tx, report),
    },
  );
  if (decision === "REPEAT" && samePeriod !== undefined) {
    return await answerAgain(tx, report, samePeriod);
  }
  refuseUnlessCharge(decision);
  const sheet = await deps.deviceRates.at(tx, report.periodStartMs, facts.currencyCode);
  const priced = priceReport(report, sheet, meter);
  const item = deviceItem(report, {
    id: newUuid().toString("hex"),
    costNanos: priced.charged,
  });
  const judged = { item, fault: undefined, key: item.id };
  const [world] = await loadSettleWorlds(
    tx,
    [{ accountId: report.accountId, facts, items: [judged] }],
    false,
  );
  if (world === undefined) throw new AppError("ACCOUNT_NOT_FOUND");
  const hasLease = report.leaseId !== "";
  if (hasLease && !world.leases.has(report.leaseId)) throw new AppError("LEASE_NOT_FOUND");
  const plan = planSettlement(world, [judged], "reject");
  const [status] = plan.statuses;
  if (status === undefined) throw new Error("a report was not settled");
  // An id made just now belongs to a day that is kept.
  await savePlans(tx, [plan], { nowMs, oldestKeptId: "" });
  await keepRateCard(tx, { id: sheet.id, json: sheet.json, nowMs });
  const charge = {
    ...chargeFacts(report),
    ...{ id: item.id, sha256, rateCardId: sheet.id, createTimeMs: nowMs },
    ...{ charged: priced.charged, carriedIn: priced.carriedIn, carriedOut: priced.carriedOut },
  };
  await insertDeviceCharge(tx, charge);
  await saveMeter(tx, report.allocationId, { rateCardId: sheet.id, carry: priced.carry });
  return { status, charge, balance: plan.after, plan, hasLease };
}

async function answerAgain(
  tx: PoolConnection,
  { accountId, leaseId }: DeviceReport,
  charge: DeviceChargeRow,
): Promise<Charged> {
  const wallets = await lockOrCreateWallets(tx, [accountId]);
  const balance = wallets.get(accountId);
  if (balance === undefined) throw new AppError("ACCOUNT_NOT_FOUND");
  return { status: "DUPLICATE", charge, balance, plan: undefined, hasLease: leaseId !== "" };
}

function refuseUnlessCharge(decision: ReportDecision): void {
  if (decision === "CHARGE") return;
  if (decision === "OTHER_ACCOUNT") throw fieldError("allocation_id", "is another account's");
  if (decision === "REPEAT") throw new Error("a repeated report has no charge");
  throw new AppError(decision);
}

/** What is left over is carried for as long as the card stays the same: parts of another denominator do not add up. */
function priceReport(report: DeviceReport, { id, rates }: DeviceRateSheet, meter: DeviceMeter) {
  const carryBefore = meter.rateCardId === id ? meter.carry : 0n;
  const { nanos, carry } = chargeDevice(rates, usageOf(report.quantities), carryBefore);
  if (nanos > nanosMax)
    throw new AppError("USAGE_ABSURD", undefined, { metadata: { field: "quantities" } });
  const spell = (parts: bigint) => (parts === 0n ? "0" : `${parts}/${rates.denominator}`);
  return { charged: nanos, carry, carriedIn: spell(carryBefore), carriedOut: spell(carry) };
}

function chargeFacts({ leaseId: _, ...facts }: DeviceReport): Omit<DeviceReport, "leaseId"> {
  return facts;
}

/** Of all that is charged. Not of the request id, nor of the lease: where the money comes from may change between two tries. */
function sha256Of(report: DeviceReport): string {
  return contentSha256([
    report.accountId,
    report.userId,
    report.deviceId,
    report.allocationId,
    report.periodStartMs,
    report.periodEndMs,
    ...report.quantities.map((it) => [it.dimension, it.counted, it.quality]),
  ]).toString("hex");
}
