import { newUuid } from "@farebox/kit/ids";
import type { Pool } from "@farebox/kit/mysql";

/** The rows of an account, by what they are. */
export type SoundAccount = {
  readonly accountId: string;
  /** Open, with units and a dead letter. */
  readonly open: Buffer;
  readonly suspect: Buffer;
  readonly closed: Buffer;
  /** Credited, partly refunded, and with another refund under way. */
  readonly order: Buffer;
};

const nowMs = Date.now();
const now = new Date(nowMs);
const hour = new Date(Math.floor(nowMs / 3_600_000) * 3_600_000);
const monthStart = new Date(Date.UTC(2026, 0, 1));

/** Writes an account with a bit of everything, by hand, in which every law holds. */
export async function writeSoundAccount(pool: Pool): Promise<SoundAccount> {
  const accountId = `acc_${newUuid().toString("hex")}`;
  const [open, suspect, closed, order] = [newUuid(), newUuid(), newUuid(), newUuid()];
  const insert = (table: string, row: Readonly<Record<string, unknown>>) =>
    pool.query("INSERT INTO ?? SET ?", [table, { account_id: accountId, ...row }]);
  await pool.query("INSERT INTO account SET ?", [
    {
      id: accountId,
      tenant_id: "",
      display_name: "",
      currency_code: "USD",
      create_time: now,
      update_time: now,
    },
  ]);
  await insert("balance", {
    available: 450,
    held: 220,
    spent: 350,
    credited: 1020,
    open_leases: 2,
    open_grants: 1,
  });
  await insert("credit_grant", {
    id: newUuid(),
    kind: "PROMOTION",
    priority: 1,
    amount: 1000,
    remaining: 600,
    used: 350,
    expired: 50,
    create_time: now,
  });
  const entries = [
    ["GRANT", 1000, 1000],
    ["USAGE", -300, 700],
    ["USAGE", -50, 650],
    ["GRANT_EXPIRED", -50, 600],
    ["RECHARGE", 100, 700],
    ["RECHARGE_REVERSED", -40, 660],
    ["RECHARGE_REINSTATED", 10, 670],
  ] as const;
  for (const [kind, amount, balanceAfter] of entries) {
    const reference = newUuid().toString("hex");
    await insert("ledger_entry", {
      id: newUuid(),
      kind,
      reference,
      amount,
      balance_after: balanceAfter,
      debit: "a",
      credit: "b",
      create_time: now,
    });
  }
  await insert("recharge_order", {
    id: order,
    state: "PARTIALLY_REFUNDED",
    amount: 100,
    currency_code: "USD",
    method: "CARD",
    payment_method_id: "",
    payment_id: order.toString("hex"),
    credited: 100,
    reversed: 30,
    reserved: 20,
    payment_url: "",
    return_url: "",
    client_ip: "",
    expire_time: now,
    credit_time: now,
    create_time: now,
  });
  // biome-ignore format: a table is read by column
  const reversals = [
    ["refund-1",  "REFUND",  "REVERSED",   30],
    ["refund-2",  "REFUND",  "RESERVED",   20],
    ["dispute-1", "DISPUTE", "REINSTATED", 10],
  ] as const;
  for (const [id, kind, state, amount] of reversals) {
    const row = { order_id: order, reversal_id: id, kind, state, asked: amount, amount };
    await insert("recharge_reversal", { ...row, create_time: now, update_time: now });
  }
  const lease = { service: "llm", valid_for_ms: 30_000, create_time: now };
  await insert("lease", {
    ...lease,
    id: open,
    state: "OPEN",
    granted: 400,
    settled: 300,
    dead_lettered: 20,
    free_unit: "REQUESTS",
    period_start: monthStart,
    granted_units: 40,
    settled_units: 30,
  });
  await insert("lease", { ...lease, id: suspect, state: "SUSPECT", granted: 120, settled: 20 });
  await insert("lease", {
    ...lease,
    id: closed,
    state: "CLOSED",
    granted: 50,
    settled: 30,
    released: 20,
  });
  await insert("free_quota_period", {
    service: "llm",
    period_start: monthStart,
    free_unit: "REQUESTS",
    units_granted: 100,
    units_available: 60,
    units_held: 10,
    units_used: 30,
  });
  await insert("settlement_dead_letter", {
    id: newUuid(),
    item_id: newUuid(),
    item: Buffer.alloc(0),
    reason: 10018,
    field: "",
    lease_id: open,
    held: 20,
    state: "OPEN",
    create_time: now,
  });
  await insert("usage_transaction", attempt(open, 300));
  await insert("usage_transaction", attempt(suspect, 20));
  await insert("usage_late", attempt(closed, 30));
  await insert("usage_hourly", {
    hour,
    dimensions: newUuid(),
    tenant_id: "",
    user_id: "",
    api_key_id: "",
    service: "llm",
    provider: "p",
    model: "m",
    attempts: 3,
    failed: 0,
    cost: 350,
    free_units: 0,
    ...noTokens,
    images: 0,
    requests: 3,
  });
  return { accountId, open, suspect, closed, order };
}

const noTokens = {
  input_tokens: 0,
  cache_read_tokens: 0,
  cache_write_tokens: 0,
  cache_write_1h_tokens: 0,
  audio_input_tokens: 0,
  output_tokens: 0,
  reasoning_tokens: 0,
  audio_output_tokens: 0,
};

function attempt(leaseId: Buffer, cost: number): Readonly<Record<string, unknown>> {
  return {
    id: newUuid(),
    request_id: "r",
    lease_id: leaseId,
    service: "llm",
    provider: "p",
    model: "m",
    api_key_id: "",
    user_id: "",
    tenant_id: "",
    ...noTokens,
    images: 0,
    requests: 1,
    usage_source: 1,
    state: 1,
    http_status: 200,
    error_code: 0,
    cost,
    from_lease: cost,
    free_units: 0,
    is_late: 0,
    upstream_id: "",
    latency_ms: 1,
    create_time: now,
  };
}
