/** A law between rows of one account, as a statement that answers the rows that break it. */
export type RowLaw = {
  readonly name: string;
  /** Reads rows whose number grows with every call. */
  readonly isDeep: boolean;
  /** What its placeholders stand for, in order. */
  readonly takes: readonly ("accounts" | "keptTime" | "keptId")[];
  /** Answers account_id, subject, expected, actual. */
  readonly sql: string;
};

/** Both sides of a comparison as signed rows of one sum: finds what either side lacks. */
function differing(subject: string, sides: { readonly expected: string; readonly actual: string }) {
  return `SELECT account_id, ${subject} AS subject, SUM(expected) AS expected, SUM(actual) AS actual
    FROM (${sides.expected} UNION ALL ${sides.actual}) AS sides
    GROUP BY account_id, subject HAVING SUM(expected) <> SUM(actual)`;
}

const liveLeases =
  "lease FORCE INDEX (lease_expiry) WHERE state IN ('OPEN', 'SUSPECT') AND account_id IN (?)";

/** Transactions, early or late, one row for each hour that attempts began in. */
const transactionHours = (table: string, ofKeptDays: string) => `SELECT account_id,
    TIMESTAMPDIFF(HOUR, '1970-01-01', create_time) AS hour_number, 0 AS cost, 0 AS attempts,
    SUM(cost) AS found_cost, COUNT(*) AS found
  FROM ${table} WHERE account_id IN (?) AND create_time >= ? ${ofKeptDays} GROUP BY account_id, hour_number`;

const rollupHours = `SELECT account_id, TIMESTAMPDIFF(HOUR, '1970-01-01', hour) AS hour_number, SUM(cost) AS cost,
    SUM(attempts) AS attempts, 0 AS found_cost, 0 AS found
  FROM usage_hourly WHERE account_id IN (?) AND hour >= ? GROUP BY account_id, hour_number`;

const settledOfTransactions = (table: string) => `SELECT account_id, lease_id AS id, 0 AS expected,
    SUM(from_lease) AS actual FROM ${table} WHERE account_id IN (?) AND lease_id IS NOT NULL
    AND from_lease <> 0 GROUP BY account_id, lease_id`;

/** What an order says that reversals of a state took of it, against those reversals. */
function rechargesAgainstReversals(column: "reserved" | "reversed", state: string): string {
  return differing("LOWER(HEX(id))", {
    expected: `SELECT account_id, order_id AS id, amount AS expected, 0 AS actual FROM recharge_reversal
      WHERE state = '${state}' AND account_id IN (?)`,
    actual: `SELECT account_id, id, 0, ${column} FROM recharge_order
      WHERE ${column} <> 0 AND account_id IN (?)`,
  });
}

/** Every law between rows. Names are for ever. */
export const rowLaws: readonly RowLaw[] = [
  {
    name: "units_conserved",
    isDeep: false,
    takes: ["accounts"],
    sql: `SELECT account_id, CONCAT(service, ' ', period_start) AS subject, units_granted AS expected,
        units_available + units_held + units_used AS actual FROM free_quota_period
      WHERE account_id IN (?) AND units_available + units_held + units_used <> units_granted`,
  },
  {
    name: "units_held_equal_leases",
    isDeep: false,
    takes: ["accounts", "accounts"],
    sql: differing("CONCAT(service, ' ', period_start)", {
      expected: `SELECT account_id, service, period_start,
          granted_units - settled_units - released_units AS expected, 0 AS actual
        FROM ${liveLeases} AND period_start IS NOT NULL`,
      actual: `SELECT account_id, service, period_start, 0, units_held
        FROM free_quota_period WHERE account_id IN (?)`,
    }),
  },
  {
    name: "grant_terms",
    isDeep: false,
    takes: ["accounts"],
    sql: `SELECT account_id, LOWER(HEX(id)) AS subject, amount AS expected, remaining + used + expired AS actual
      FROM credit_grant WHERE account_id IN (?) AND remaining + used + expired <> amount`,
  },
  {
    name: "recharges_reserved_equal_reversals",
    isDeep: false,
    takes: ["accounts", "accounts"],
    sql: rechargesAgainstReversals("reserved", "RESERVED"),
  },
  {
    name: "recharges_reversed_equal_reversals",
    isDeep: false,
    takes: ["accounts", "accounts"],
    sql: rechargesAgainstReversals("reversed", "REVERSED"),
  },
  {
    name: "dead_letters_equal_leases",
    isDeep: true,
    takes: ["accounts", "accounts"],
    sql: differing("LOWER(HEX(id))", {
      expected: `SELECT account_id, lease_id AS id, held AS expected, 0 AS actual FROM settlement_dead_letter
        WHERE state = 'OPEN' AND held <> 0 AND account_id IN (?)`,
      actual: `SELECT account_id, id, 0, dead_lettered FROM lease
        WHERE dead_lettered <> 0 AND account_id IN (?)`,
    }),
  },
  {
    name: "ended_leases_hold_nothing",
    isDeep: true,
    takes: ["accounts"],
    sql: `SELECT account_id, LOWER(HEX(id)) AS subject, granted AS expected,
        settled + released + dead_lettered AS actual FROM lease
      WHERE account_id IN (?) AND state IN ('CLOSED', 'RELEASED') AND settled + released + dead_lettered <> granted`,
  },
  {
    name: "lease_settled_equals_transactions",
    isDeep: true,
    takes: ["accounts", "accounts", "accounts", "keptTime"],
    sql: `SELECT lease.account_id, LOWER(HEX(lease.id)) AS subject, lease.settled AS expected,
        COALESCE(SUM(used.actual), 0) AS actual
      FROM lease LEFT JOIN (${settledOfTransactions("usage_transaction")}
        UNION ALL ${settledOfTransactions("usage_late")}) AS used
        ON used.account_id = lease.account_id AND used.id = lease.id
      WHERE lease.account_id IN (?) AND lease.create_time >= ?
      GROUP BY lease.account_id, lease.id, lease.settled HAVING lease.settled <> COALESCE(SUM(used.actual), 0)`,
  },
  {
    // Where the costs agree, the figures are numbers of attempts.
    name: "transactions_equal_rollup",
    isDeep: true,
    takes: ["accounts", "keptTime", "accounts", "keptTime", "keptId", "accounts", "keptTime"],
    sql: `SELECT account_id, FROM_UNIXTIME(hour_number * 3600) AS subject,
        IF(SUM(cost) = SUM(found_cost), SUM(attempts), SUM(cost)) AS expected,
        IF(SUM(cost) = SUM(found_cost), SUM(found), SUM(found_cost)) AS actual
      FROM (${rollupHours} UNION ALL ${transactionHours("usage_transaction", "AND id >= ?")}
        UNION ALL ${transactionHours("usage_late", "")}) AS sides
      GROUP BY account_id, hour_number
      HAVING SUM(cost) <> SUM(found_cost) OR SUM(attempts) <> SUM(found)`,
  },
];
