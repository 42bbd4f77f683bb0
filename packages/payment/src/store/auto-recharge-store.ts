import { type Queryable, readTime, toBytes, toTime } from "@farebox/kit/column-values";
import type { Nanos } from "@farebox/kit/money";
import type { ResultSetHeader, RowDataPacket } from "mysql2/promise";
import type { AutoRecharge } from "../domain/auto-recharge.ts";

/** Writes how an account recharges by itself, in place of what was; it is looked at at `checkMs`, never while switched off. */
export async function saveAutoRecharge(
  db: Queryable,
  setting: AutoRecharge,
  checkMs: number,
): Promise<void> {
  const { accountId, paymentMethodId } = setting;
  const changed = {
    is_enabled: setting.isEnabled ? 1 : 0,
    currency_code: setting.currencyCode,
    threshold: setting.threshold,
    amount: setting.amount,
    payment_method_id: paymentMethodId === "" ? null : toBytes(paymentMethodId),
    limit_per_month: setting.limitPerMonth ?? null,
    attempts_per_day: setting.attemptsPerDay,
    failed_attempts: setting.failedAttempts,
    next_attempt_time: toTime(setting.nextAttemptMs),
    disabled_reason: setting.disabledReason.slice(0, 64),
    set_time: toTime(setting.setTimeMs),
    check_time: setting.isEnabled ? toTime(checkMs) : null,
  };
  const row = { account_id: accountId, ...changed };
  await db.query("INSERT INTO auto_recharge SET ? ON DUPLICATE KEY UPDATE ?", [row, changed]);
}

/** Reads an account's setting as last committed. */
export async function readAutoRecharge(
  db: Queryable,
  accountId: string,
): Promise<AutoRecharge | undefined> {
  const [rows] = await db.query<SettingRow[]>(`${select} WHERE account_id = ?`, [accountId]);
  return rows[0] && toSetting(rows[0]);
}

/** Locks and reads an account's setting: attempts begin and end one after another. */
export async function lockAutoRecharge(
  db: Queryable,
  accountId: string,
): Promise<AutoRecharge | undefined> {
  const [rows] = await db.query<SettingRow[]>(`${select} WHERE account_id = ? FOR UPDATE`, [
    accountId,
  ]);
  return rows[0] && toSetting(rows[0]);
}

/** As `lockAutoRecharge`, for whoever claimed the row until then; undefined when it was claimed or set anew since. */
export async function lockClaimed(
  db: Queryable,
  accountId: string,
  claimedUntilMs: number,
): Promise<AutoRecharge | undefined> {
  const [rows] = await db.query<SettingRow[]>(
    `${select} WHERE account_id = ? AND check_time = ? FOR UPDATE`,
    [accountId, toTime(claimedUntilMs)],
  );
  return rows[0] && toSetting(rows[0]);
}

/** Takes settings that are to be looked at, each for a while. */
export async function claimDueSettings(
  db: Queryable,
  of: { readonly nowMs: number; readonly untilMs: number; readonly limit: number },
): Promise<readonly AutoRecharge[]> {
  const [rows] = await db.query<SettingRow[]>(
    `${select} WHERE check_time <= ? ORDER BY check_time LIMIT ?`,
    [toTime(of.nowMs), of.limit],
  );
  const claimed: AutoRecharge[] = [];
  for (const row of rows) {
    const [result] = await db.query<ResultSetHeader>(
      "UPDATE auto_recharge SET check_time = ? WHERE account_id = ? AND check_time <= ?",
      [toTime(of.untilMs), row.account_id, toTime(of.nowMs)],
    );
    if (result.affectedRows === 1) claimed.push(toSetting(row));
  }
  return claimed;
}

/** Says when claimed settings are to be looked at again; those that were claimed or set anew since are left alone. */
export async function releaseSettings(
  db: Queryable,
  accountIds: readonly string[],
  of: { readonly claimedUntilMs: number; readonly checkMs: number },
): Promise<void> {
  if (accountIds.length === 0) return;
  await db.query(
    "UPDATE auto_recharge SET check_time = ? WHERE account_id IN (?) AND check_time = ?",
    [toTime(of.checkMs), accountIds, toTime(of.claimedUntilMs)],
  );
}

const select = `SELECT account_id, is_enabled, currency_code, threshold, amount, LOWER(HEX(payment_method_id)) AS method_hex,
    limit_per_month, attempts_per_day, failed_attempts, CAST(next_attempt_time AS CHAR) AS next_text, disabled_reason,
    CAST(set_time AS CHAR) AS set_text
  FROM auto_recharge`;

type SettingRow = RowDataPacket & {
  readonly account_id: string;
  readonly is_enabled: number;
  readonly currency_code: string;
  readonly threshold: Nanos;
  readonly amount: Nanos;
  readonly method_hex: string | null;
  readonly limit_per_month: Nanos | null;
  readonly attempts_per_day: number;
  readonly failed_attempts: number;
  readonly next_text: string | null;
  readonly disabled_reason: string;
  readonly set_text: string;
};

function toSetting(row: SettingRow): AutoRecharge {
  return {
    accountId: row.account_id,
    isEnabled: row.is_enabled === 1,
    currencyCode: row.currency_code,
    threshold: row.threshold,
    amount: row.amount,
    paymentMethodId: row.method_hex ?? "",
    limitPerMonth: row.limit_per_month ?? undefined,
    attemptsPerDay: row.attempts_per_day,
    failedAttempts: row.failed_attempts,
    nextAttemptMs: readTime(row.next_text),
    disabledReason: row.disabled_reason,
    setTimeMs: readTime(row.set_text) ?? 0,
  };
}
