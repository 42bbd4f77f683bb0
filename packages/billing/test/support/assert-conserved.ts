import assert from "node:assert/strict";
import type { Pool } from "@farebox/kit/mysql";
import type { RowDataPacket } from "mysql2/promise";

/**
 * Recomputes every law of money from the rows of a whole schema, and fails with the rows that break one:
 * transactions = lease counters = ledger = balances, grants and free units included.
 */
export async function assertConserved(pool: Pool): Promise<void> {
  assert.deepEqual(await inSnapshot(pool, laws), {}, "laws of money are broken");
}

/** Each statement returns the rows that break its law. */
const laws: Readonly<Record<string, string>> = {
  balance_terms_add_up: `SELECT * FROM balance
    WHERE available + held + spent <> credited + receivable OR (available > 0 AND receivable > 0)
      OR LEAST(available, held, spent, credited, receivable, open_leases, open_grants) < 0`,
  ledger_sums_to_funds: `SELECT b.account_id, b.available + b.held - b.receivable AS funds, l.total
    FROM balance AS b LEFT JOIN (SELECT account_id, CAST(SUM(amount) AS SIGNED) AS total FROM ledger_entry
      GROUP BY account_id) AS l ON l.account_id = b.account_id
    WHERE COALESCE(l.total, 0) <> b.available + b.held - b.receivable`,
  last_ledger_entry_states_the_funds: `SELECT l.account_id, l.balance_after, b.available + b.held - b.receivable AS funds
    FROM ledger_entry AS l JOIN balance AS b ON b.account_id = l.account_id
    WHERE l.id = (SELECT MAX(m.id) FROM ledger_entry AS m WHERE m.account_id = l.account_id)
      AND l.balance_after <> b.available + b.held - b.receivable`,
  credited_is_money_in: `SELECT b.account_id, b.credited, g.total, o.net FROM balance AS b
    LEFT JOIN (SELECT account_id, CAST(SUM(amount - expired) AS SIGNED) AS total FROM credit_grant GROUP BY account_id) AS g
      ON g.account_id = b.account_id
    LEFT JOIN (SELECT account_id, CAST(SUM(credited - reversed) AS SIGNED) AS net FROM recharge_order GROUP BY account_id) AS o
      ON o.account_id = b.account_id
    WHERE b.credited <> COALESCE(g.total, 0) + COALESCE(o.net, 0)`,
  orders_are_what_their_reversals_took: `SELECT o.account_id, o.id, o.reserved, o.reversed, r.reserved AS held, r.reversed AS taken
    FROM recharge_order AS o
    LEFT JOIN (SELECT account_id, order_id, CAST(SUM(IF(state = 'RESERVED', amount, 0)) AS SIGNED) AS reserved,
        CAST(SUM(IF(state = 'REVERSED', amount, 0)) AS SIGNED) AS reversed
      FROM recharge_reversal GROUP BY account_id, order_id) AS r ON r.account_id = o.account_id AND r.order_id = o.id
    WHERE o.reserved <> COALESCE(r.reserved, 0) OR o.reversed <> COALESCE(r.reversed, 0)`,
  ledger_recharges_are_orders: `SELECT o.account_id, o.net, l.total
    FROM (SELECT account_id, CAST(SUM(credited - reversed) AS SIGNED) AS net FROM recharge_order GROUP BY account_id) AS o
    LEFT JOIN (SELECT account_id, CAST(SUM(amount) AS SIGNED) AS total FROM ledger_entry
      WHERE kind LIKE 'RECHARGE%' GROUP BY account_id) AS l ON l.account_id = o.account_id
    WHERE o.net <> COALESCE(l.total, 0)`,
  spent_is_the_cost_of_transactions: `SELECT b.account_id, b.spent, t.total FROM balance AS b
    LEFT JOIN (SELECT account_id, CAST(SUM(cost) AS SIGNED) AS total FROM (
        SELECT account_id, cost FROM usage_transaction UNION ALL SELECT account_id, cost FROM usage_late) AS u
      GROUP BY account_id) AS t ON t.account_id = b.account_id
    WHERE b.spent <> COALESCE(t.total, 0)`,
  ledger_usage_is_spent: `SELECT b.account_id, b.spent, l.total FROM balance AS b
    LEFT JOIN (SELECT account_id, CAST(SUM(amount) AS SIGNED) AS total FROM ledger_entry WHERE kind = 'USAGE'
      GROUP BY account_id) AS l ON l.account_id = b.account_id
    WHERE b.spent <> -COALESCE(l.total, 0)`,
  hours_sum_to_transactions: `SELECT b.account_id, b.spent, h.cost, h.attempts, t.attempts AS transactions FROM balance AS b
    LEFT JOIN (SELECT account_id, CAST(SUM(cost) AS SIGNED) AS cost, CAST(SUM(attempts) AS SIGNED) AS attempts
      FROM usage_hourly GROUP BY account_id) AS h ON h.account_id = b.account_id
    LEFT JOIN (SELECT account_id, COUNT(*) AS attempts FROM (SELECT account_id FROM usage_transaction
        UNION ALL SELECT account_id FROM usage_late) AS u GROUP BY account_id) AS t ON t.account_id = b.account_id
    WHERE b.spent <> COALESCE(h.cost, 0) OR COALESCE(h.attempts, 0) <> COALESCE(t.attempts, 0)`,
  held_is_what_leases_dead_letters_and_refunds_hold: `SELECT b.account_id, b.held, b.open_leases, l.held AS leases, l.live, r.reserved
    FROM balance AS b
    LEFT JOIN (SELECT account_id, CAST(SUM(granted - settled - released) AS SIGNED) AS held,
        CAST(SUM(state IN ('OPEN', 'SUSPECT')) AS SIGNED) AS live FROM lease GROUP BY account_id) AS l
      ON l.account_id = b.account_id
    LEFT JOIN (SELECT account_id, CAST(SUM(reserved) AS SIGNED) AS reserved FROM recharge_order GROUP BY account_id) AS r
      ON r.account_id = b.account_id
    WHERE b.held <> COALESCE(l.held, 0) + COALESCE(r.reserved, 0) OR b.open_leases <> COALESCE(l.live, 0)`,
  ended_leases_hold_dead_letters_only: `SELECT account_id, id, granted, settled, released, dead_lettered FROM lease
    WHERE state IN ('CLOSED', 'RELEASED') AND granted <> settled + released + dead_lettered`,
  lease_settled_is_from_lease: `SELECT l.account_id, l.id, l.settled, t.total FROM lease AS l
    LEFT JOIN (SELECT account_id, lease_id, CAST(SUM(from_lease) AS SIGNED) AS total FROM (
        SELECT account_id, lease_id, from_lease FROM usage_transaction
        UNION ALL SELECT account_id, lease_id, from_lease FROM usage_late) AS u GROUP BY account_id, lease_id) AS t
      ON t.account_id = l.account_id AND t.lease_id = l.id
    WHERE l.settled <> COALESCE(t.total, 0)`,
  dead_letters_hold_what_leases_say: `SELECT l.account_id, l.id, l.dead_lettered, d.total FROM lease AS l
    LEFT JOIN (SELECT account_id, lease_id, CAST(SUM(held) AS SIGNED) AS total FROM settlement_dead_letter
      WHERE state = 'OPEN' GROUP BY account_id, lease_id) AS d ON d.account_id = l.account_id AND d.lease_id = l.id
    WHERE l.dead_lettered <> COALESCE(d.total, 0)`,
  units_held_are_what_live_leases_hold: `SELECT p.*, l.held AS leases FROM free_quota_period AS p
    LEFT JOIN (SELECT account_id, service, period_start,
        CAST(SUM(granted_units - settled_units - released_units) AS SIGNED) AS held
      FROM lease WHERE period_start IS NOT NULL GROUP BY account_id, service, period_start) AS l
      ON l.account_id = p.account_id AND l.service = p.service AND l.period_start = p.period_start
    WHERE p.units_held <> COALESCE(l.held, 0) OR p.units_available + p.units_held + p.units_used <> p.units_granted`,
  units_used_are_those_of_transactions: `SELECT p.account_id, p.service, p.used, t.used AS transactions FROM (
      SELECT account_id, service, CAST(SUM(units_used + units_written_off) AS SIGNED) AS used
      FROM free_quota_period GROUP BY account_id, service) AS p
    LEFT JOIN (SELECT account_id, service, CAST(SUM(free_units) AS SIGNED) AS used FROM (
        SELECT account_id, service, free_units FROM usage_transaction
        UNION ALL SELECT account_id, service, free_units FROM usage_late) AS u GROUP BY account_id, service) AS t
      ON t.account_id = p.account_id AND t.service = p.service
    WHERE p.used <> COALESCE(t.used, 0)`,
  device_charges_are_transactions: `SELECT c.account_id, c.allocation_id, c.charged, t.cost FROM device_charge AS c
    LEFT JOIN usage_transaction AS t ON t.account_id = c.account_id AND t.id = c.id
    WHERE t.cost IS NULL OR t.cost <> c.charged OR t.upstream_id <> c.allocation_id`,
  grants_are_burned_by_what_was_spent: `SELECT b.account_id, b.spent, b.receivable, b.open_grants, g.used, g.remaining, g.open
    FROM balance AS b
    LEFT JOIN (SELECT account_id, CAST(SUM(used) AS SIGNED) AS used, CAST(SUM(remaining) AS SIGNED) AS remaining,
        CAST(SUM(remaining > 0) AS SIGNED) AS open FROM credit_grant GROUP BY account_id) AS g
      ON g.account_id = b.account_id
    WHERE b.open_grants <> COALESCE(g.open, 0)
      OR COALESCE(g.remaining, 0) > GREATEST(0, b.available + b.held - b.receivable
        - COALESCE((SELECT SUM(reserved) FROM recharge_order AS o WHERE o.account_id = b.account_id), 0))`,
};

async function inSnapshot(
  pool: Pool,
  statements: Readonly<Record<string, string>>,
): Promise<Readonly<Record<string, readonly RowDataPacket[]>>> {
  const tx = await pool.getConnection();
  try {
    await tx.query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ");
    await tx.query("START TRANSACTION WITH CONSISTENT SNAPSHOT");
    const broken: Record<string, readonly RowDataPacket[]> = {};
    for (const [law, statement] of Object.entries(statements)) {
      const [rows] = await tx.query<RowDataPacket[]>(statement);
      if (rows.length > 0) broken[law] = rows.slice(0, 5);
    }
    await tx.query("COMMIT");
    return broken;
  } finally {
    tx.release();
  }
}
