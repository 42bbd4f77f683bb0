import { hash } from "node:crypto";
import { type Clock, systemClock } from "@farebox/kit/clock";
import { newUuid } from "@farebox/kit/ids";
import { createLogger } from "@farebox/kit/logger";
import { createMetrics } from "@farebox/kit/metrics";
import type { Nanos } from "@farebox/kit/money";
import type { Pool } from "@farebox/kit/mysql";
import { charge } from "@farebox/pricing/charge";
import { compilePrice } from "@farebox/pricing/compiled-price";
import { parsePrice } from "@farebox/pricing/price";
import { canonicalSnapshot, makeSnapshot } from "@farebox/pricing/snapshot";
import { noUsage } from "@farebox/pricing/usage";
import type { RowDataPacket } from "mysql2/promise";
import type { Charge } from "../../src/domain/charge-check.ts";
import type { GrantKind } from "../../src/domain/credit-grant.ts";
import type { AskAnswer, LeaseAsk } from "../../src/domain/grant-plan.ts";
import type { SettleStatus } from "../../src/domain/settle-plan.ts";
import type { DecodedItem } from "../../src/domain/usage-item.ts";
import { createMoneyEvents } from "../../src/events.ts";
import { createAskQueue } from "../../src/operations/ask-queue.ts";
import { createCloseQueue } from "../../src/operations/close-queue.ts";
import { type DeductedQuota, deductQuota } from "../../src/operations/deduct-quota.ts";
import { grantAsks } from "../../src/operations/grant-asks.ts";
import { type GrantedCredit, grantCredit } from "../../src/operations/grant-credit.ts";
import { settleItems } from "../../src/operations/settle-items.ts";
import { createAccountFacts } from "../../src/store/account-facts.ts";
import { createSnapshotPrices } from "../../src/store/snapshot-prices.ts";

/** The operations that move money, over one schema, as one process would have them; and short ways to call them. */
export type MoneyRoom = ReturnType<typeof openMoneyRoom>;

/** One nano an input token, so that a cost is read off the usage. */
const snapshot = makeSnapshot(
  parsePrice({ provider: "demo", model: "demo-1", input: "0.001", output: "0.001" }),
  { exchangeRate: "1", accountCurrency: "USD" },
);
const snapshotId = hash("sha256", canonicalSnapshot(snapshot), "hex").slice(0, 32);
export const demoPrice = { snapshotId, compiled: compilePrice(snapshot) };

/** Opens the room. Two rooms over one schema are two processes. */
export function openMoneyRoom(pool: Pool, clock: Clock = systemClock) {
  const events = createMoneyEvents({
    log: createLogger({ name: "test", level: "silent" }),
    metrics: createMetrics(),
  });
  const deps = {
    pool,
    clock,
    events,
    facts: createAccountFacts(pool),
    prices: createSnapshotPrices(pool),
    oldestKeptDayMs: () => 0,
    leaseSuspectMsMax: 900_000,
    autoCreateCurrency: "USD",
    closes: createCloseQueue({ pool, clock }),
    priceUsage: (_provider: string, model: string) => (model === "demo-1" ? demoPrice : undefined),
  };
  const asks = createAskQueue({ grant: (submitted) => grantAsks(deps, submitted) });
  return {
    ...deps,
    asks,
    /** Makes an account with so much credit, and an overdraft limit. */
    account: (credited: Nanos = 0n, overdraftLimit: Nanos = 0n) =>
      makeAccount(deps, credited, overdraftLimit),
    credit: (
      accountId: string,
      amountNanos: Nanos,
      more: CreditFacts = {},
    ): Promise<GrantedCredit> =>
      grantCredit(deps, {
        requestId: newUuid().toString("hex"),
        accountId,
        amountNanos,
        kind: "PROMOTIONAL",
        priority: 0,
        expireTimeMs: undefined,
        ...more,
      }),
    /** Asks for a strict lease unless told otherwise. */
    ask: async (accountId: string, more: Partial<LeaseAsk> = {}): Promise<AskAnswer> => {
      const [answer] = await asks.submit([
        { ask: newAsk(accountId, more), mayCreateAccount: false },
      ]);
      if (answer === undefined) throw new Error("no answer");
      return answer;
    },
    settle: (items: readonly DecodedItem[]): Promise<readonly SettleStatus[]> =>
      settleItems(deps, { items }),
    deduct: (
      accountId: string,
      charges: readonly Charge[],
      more: {
        readonly leaseId?: string;
        readonly close?: boolean;
        readonly finalTotal?: Nanos;
      } = {},
    ): Promise<DeductedQuota> =>
      deductQuota(deps, {
        accountId,
        charges,
        leaseId: more.leaseId ?? "",
        close: more.close ?? false,
        finalTotal: more.finalTotal,
      }),
    /** The balance row, or undefined. */
    balance: async (accountId: string): Promise<BalanceRow | undefined> => {
      const [rows] = await pool.query<BalanceRow[]>(
        "SELECT available, held, spent, credited, receivable, open_leases, open_grants FROM balance WHERE account_id = ?",
        [accountId],
      );
      return rows[0];
    },
    /** How many rows match. */
    count: async (fromWhere: string): Promise<number> => {
      const [rows] = await pool.query<RowDataPacket[]>(`SELECT COUNT(*) AS n FROM ${fromWhere}`);
      return Number(rows[0]?.n);
    },
  };
}

type CreditFacts = {
  readonly kind?: GrantKind;
  readonly priority?: number;
  readonly expireTimeMs?: number;
  readonly requestId?: string;
};

type BalanceRow = RowDataPacket & Readonly<Record<string, bigint | number>>;

/** Writes the snapshot that items are priced by. */
export async function storeDemoPrice(pool: Pool): Promise<void> {
  await pool.query(
    "INSERT INTO price_snapshot (id, content, create_time) VALUES (?, ?, '2026-01-01')",
    [Buffer.from(snapshotId, "hex"), canonicalSnapshot(snapshot)],
  );
}

/** An outcome that costs so many nanos. */
export function newItem(
  accountId: string,
  cost: number,
  more: Partial<DecodedItem> = {},
): DecodedItem {
  const usage = { ...noUsage, inputTokens: cost, requests: 1 };
  const item: DecodedItem = {
    id: newUuid().toString("hex"),
    accountId,
    leaseId: "",
    requestId: newUuid().toString("hex"),
    attempt: 1,
    service: "llm",
    provider: "demo",
    model: "demo-1",
    apiKeyId: "",
    userId: "",
    usage,
    usageSource: 1,
    state: 1,
    httpStatus: 200,
    costNanos: charge(demoPrice.compiled, usage),
    priceSnapshotId: snapshotId,
    providerCostNanos: undefined,
    freeUnits: 0,
    upstreamId: "",
    startTimeMs: 1_790_000_000_000,
    latencyMs: 1,
    timeToFirstTokenMs: undefined,
    tags: [],
    errorCode: 0,
    claimed: false,
    encoded: Buffer.from("an item"),
  };
  return { ...item, ...more };
}

/** A charge of so many nanos. */
export function newCharge(requestId: string, nanos: Nanos, more: Partial<Charge> = {}): Charge {
  return {
    requestId,
    amount: { currencyCode: "", nanos },
    units: 0,
    usage: undefined,
    provider: "",
    model: "",
    usageSource: 0,
    apiKeyId: "",
    userId: "",
    tags: [],
    ...more,
  };
}

/** A strict ask for one nano. */
export function newAsk(accountId: string, more: Partial<LeaseAsk> = {}): LeaseAsk {
  return {
    requestId: newUuid().toString("hex"),
    accountId,
    service: "llm",
    currencyCode: "",
    estimated: 1n,
    minimum: undefined,
    wantSlice: 0n,
    estimatedUnits: 0n,
    estimatedRequests: 0n,
    wantUnits: 0n,
    validForMs: 30_000,
    leaseId: "",
    gatewayId: "",
    gatewayEpoch: 0n,
    apiKeyId: "",
    userId: "",
    askId: newUuid().toString("hex"),
    sha256: "00".repeat(32),
    ...more,
  };
}

async function makeAccount(
  deps: { readonly pool: Pool } & Parameters<typeof grantCredit>[0],
  credited: Nanos,
  overdraftLimit: Nanos,
): Promise<string> {
  const id = `acc_${newUuid().toString("hex")}`;
  await deps.pool.query(
    `INSERT INTO account (id, tenant_id, display_name, currency_code, create_time, update_time)
     VALUES (?, '', '', 'USD', '2026-01-01', '2026-01-01')`,
    [id],
  );
  if (overdraftLimit > 0n) {
    await deps.pool.query("INSERT INTO balance (account_id, overdraft_limit) VALUES (?, ?)", [
      id,
      overdraftLimit,
    ]);
  }
  if (credited > 0n) {
    await grantCredit(deps, {
      requestId: "opening credit",
      accountId: id,
      amountNanos: credited,
      kind: "PREPAID",
      priority: 0,
      expireTimeMs: undefined,
    });
  }
  return id;
}
