import type { Clock } from "@farebox/kit/clock";
import type { Logger } from "@farebox/kit/logger";
import type { Metrics } from "@farebox/kit/metrics";
import type { Pool } from "@farebox/kit/mysql";
import type { BillingConfig } from "./config.ts";
import { createDeviceEvents, type DeviceEvents } from "./device-events.ts";
import { oldestKeptDayMs } from "./domain/usage-day.ts";
import { createMoneyEvents, type MoneyEvents } from "./events.ts";
import { createLeaseEvents, type LeaseEvents } from "./lease-events.ts";
import { type AskQueue, createAskQueue } from "./operations/ask-queue.ts";
import { type CloseQueue, createCloseQueue } from "./operations/close-queue.ts";
import { createDeviceRateCards, type DeviceRateCards } from "./operations/device-rate-cards.ts";
import { grantAsks } from "./operations/grant-asks.ts";
import type { PriceChargeDeps } from "./operations/price-charge.ts";
import { settleItems } from "./operations/settle-items.ts";
import { createSettleQueue, type SettleQueue } from "./operations/settle-queue.ts";
import { createPartitionEvents, type PartitionEvents } from "./partition-events.ts";
import type { LiveCatalogue } from "./prices/live-catalogue.ts";
import { createPruneEvents, type PruneEvents } from "./prune-events.ts";
import { createRechargeEvents, type RechargeEvents } from "./recharge-events.ts";
import { createReconcileEvents, type ReconcileEvents } from "./reconcile-events.ts";
import { createItemDecoder, type DecodeItem } from "./rpc/decode-usage-item.ts";
import { createSettleCodec, type SettleCodec } from "./rpc/settle-codec.ts";
import { type AccountFactsCache, createAccountFacts } from "./store/account-facts.ts";
import { createSnapshotPrices, type SnapshotPrices } from "./store/snapshot-prices.ts";

/** What the operations that move money share within one process: its caches, its events, and its settings. */
export type Engine = PriceChargeDeps & {
  readonly deviceRates: DeviceRateCards;
  readonly deviceEvents: DeviceEvents;
  readonly pool: Pool;
  readonly clock: Clock;
  readonly facts: AccountFactsCache;
  readonly prices: SnapshotPrices;
  readonly events: MoneyEvents &
    LeaseEvents &
    PartitionEvents &
    ReconcileEvents &
    PruneEvents &
    RechargeEvents;
  readonly asks: AskQueue;
  readonly closes: CloseQueue;
  readonly settles: SettleQueue;
  readonly codec: SettleCodec;
  readonly decodeItem: DecodeItem;
  readonly oldestKeptDayMs: () => number;
  readonly retentionDays: number;
  readonly leaseRetentionDays: number;
  readonly requestIdRetentionDays: number;
  readonly leaseValidForMs: number;
  readonly leaseSuspectMsMax: number;
  readonly rechargeExpiresAfterMs: number;
};

/** The currency of accounts that come to be because a service names them. */
const autoCreatedCurrency = "USD";

/** Puts the engine of one process together. It does nothing until it is asked. */
export function createEngine(deps: {
  readonly config: BillingConfig;
  readonly pool: Pool;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly catalogue: Pick<LiveCatalogue, "price" | "exchangeRates">;
}): Engine {
  const { config, pool, clock, catalogue } = deps;
  const facts = createAccountFacts(pool);
  const events = {
    ...createMoneyEvents(deps),
    ...createLeaseEvents(deps),
    ...createPartitionEvents(deps),
    ...createPruneEvents(deps),
    ...createRechargeEvents(deps),
    ...createReconcileEvents({ ...deps, nowMs: clock.nowMs }),
  };
  const autoCreateCurrency = config.autoCreateAccounts ? autoCreatedCurrency : undefined;
  const granting = { pool, clock, facts, events, autoCreateCurrency };
  const prices = createSnapshotPrices(pool);
  const oldestKept = () => oldestKeptDayMs(clock.nowMs(), config.usageRetentionDays);
  const settling = { pool, clock, facts, prices, events, oldestKeptDayMs: oldestKept };
  return {
    pool,
    clock,
    facts,
    prices,
    events,
    asks: createAskQueue({ grant: (asks) => grantAsks(granting, asks) }),
    closes: createCloseQueue({ pool, clock }),
    settles: createSettleQueue({ settle: (items) => settleItems(settling, { items }) }),
    deviceRates: createDeviceRateCards({ exchangeRates: () => catalogue.exchangeRates() }),
    deviceEvents: createDeviceEvents(deps),
    codec: createSettleCodec(),
    decodeItem: createItemDecoder(),
    priceUsage: (provider, model, currency) => {
      const sheet = catalogue.price({ provider, model, currency, atMs: clock.nowMs() });
      return { snapshotId: sheet.id.toString("hex"), compiled: sheet.compiled() };
    },
    oldestKeptDayMs: oldestKept,
    retentionDays: config.usageRetentionDays,
    leaseRetentionDays: config.leaseRetentionDays,
    requestIdRetentionDays: config.requestIdRetentionDays,
    leaseValidForMs: config.leaseValidForMs,
    leaseSuspectMsMax: config.leaseSuspectMaxMs,
    rechargeExpiresAfterMs: config.rechargeExpiresAfterMs,
  };
}
