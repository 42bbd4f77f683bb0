import type { Clock } from "@farebox/kit/clock";
import { newUuid } from "@farebox/kit/ids";
import { inTransaction, type Pool, type PoolConnection } from "@farebox/kit/mysql";
import type { RowDataPacket } from "mysql2/promise";

/** Accounts and leases written by hand, as grants would have written them: every law of money holds. */
export type LeaseFixture = {
  /** An account with so much of prepaid credit. */
  account(credited: number): Promise<string>;
  /** A gateway's lease. */
  gatewayLease(
    accountId: string,
    gatewayId: Buffer,
    epoch: bigint,
    granted?: number,
  ): Promise<Buffer>;
  /** A strict lease. */
  strictLease(accountId: string, validForMs: number, granted?: number): Promise<Buffer>;
  /** What an extension does to a strict lease's life. */
  extend(accountId: string, leaseId: Buffer, db?: PoolConnection): Promise<void>;
  /** A claim in flight. */
  claim(accountId: string, gatewayId: Buffer, epoch: bigint): Promise<string>;
  /** The attempt that holds a claim, in hex. */
  attemptOf(accountId: string, requestId: string): Promise<string>;
  claimState(accountId: string, requestId: string): Promise<string>;
  /** The states of an account's leases, oldest first. */
  states(accountId: string): Promise<readonly string[]>;
  balance(
    accountId: string,
  ): Promise<Readonly<Record<"available" | "held" | "open_leases", number>>>;
};

/** Makes the fixture of one schema. */
export function leaseFixture(pool: Pool, clock: Clock): LeaseFixture {
  const now = () => new Date(clock.nowMs());
  const lease = async (
    accountId: string,
    granted: number,
    row: Readonly<Record<string, unknown>>,
  ) => {
    const id = newUuid();
    await inTransaction(pool, async (tx) => {
      await tx.query("INSERT INTO lease SET ?", [
        {
          account_id: accountId,
          id,
          service: "llm",
          state: "OPEN",
          granted,
          create_time: now(),
          ...row,
        },
      ]);
      await tx.query(
        "UPDATE balance SET available = available - ?, held = held + ?, open_leases = open_leases + 1 WHERE account_id = ?",
        [granted, granted, accountId],
      );
    });
    return id;
  };
  return {
    account: async (credited) => {
      const id = `acc_${newUuid().toString("hex")}`;
      const time = { create_time: now() };
      await pool.query("INSERT INTO account SET ?", [
        { id, tenant_id: "", display_name: "", currency_code: "USD", update_time: now(), ...time },
      ]);
      await pool.query("INSERT INTO balance SET ?", [
        { account_id: id, available: credited, credited, open_grants: 1 },
      ]);
      await pool.query("INSERT INTO credit_grant SET ?", [
        {
          account_id: id,
          id: newUuid(),
          kind: "PREPAID",
          priority: 0,
          amount: credited,
          remaining: credited,
          ...time,
        },
      ]);
      await pool.query("INSERT INTO ledger_entry SET ?", [
        {
          account_id: id,
          id: newUuid(),
          kind: "GRANT",
          reference: "fixture",
          amount: credited,
          balance_after: credited,
          debit: "cash",
          credit: "customer_funds",
          ...time,
        },
      ]);
      return id;
    },
    gatewayLease: (accountId, gatewayId, epoch, granted = 10) =>
      lease(accountId, granted, {
        gateway_id: gatewayId,
        gateway_epoch: epoch,
        valid_for_ms: 30_000,
      }),
    strictLease: (accountId, validForMs, granted = 10) =>
      lease(accountId, granted, {
        valid_for_ms: validForMs,
        expire_time: new Date(clock.nowMs() + validForMs),
      }),
    extend: async (accountId, leaseId, db) => {
      await (db ?? pool).query(
        "UPDATE lease SET expire_time = ? + INTERVAL (valid_for_ms * 1000) MICROSECOND WHERE account_id = ? AND id = ?",
        [now(), accountId, leaseId],
      );
    },
    claim: async (accountId, gatewayId, epoch) => {
      const requestId = newUuid().toString("hex");
      await pool.query("INSERT INTO client_request SET ?", [
        {
          account_id: accountId,
          request_id: requestId,
          sha256: Buffer.alloc(32),
          state: "IN_FLIGHT",
          attempt_id: newUuid(),
          gateway_id: gatewayId,
          gateway_epoch: epoch,
          create_time: now(),
        },
      ]);
      return requestId;
    },
    attemptOf: async (accountId, requestId) => {
      const [rows] = await pool.query<RowDataPacket[]>(
        "SELECT LOWER(HEX(attempt_id)) AS id FROM client_request WHERE account_id = ? AND request_id = ?",
        [accountId, requestId],
      );
      return String(rows[0]?.id);
    },
    claimState: async (accountId, requestId) => {
      const [rows] = await pool.query<RowDataPacket[]>(
        "SELECT state FROM client_request WHERE account_id = ? AND request_id = ?",
        [accountId, requestId],
      );
      return String(rows[0]?.state);
    },
    states: async (accountId) => {
      const [rows] = await pool.query<RowDataPacket[]>(
        "SELECT state FROM lease WHERE account_id = ? ORDER BY id",
        [accountId],
      );
      return rows.map((row) => String(row.state));
    },
    balance: async (accountId) => {
      const [rows] = await pool.query<RowDataPacket[]>(
        "SELECT available, held, open_leases FROM balance WHERE account_id = ?",
        [accountId],
      );
      const [row] = rows;
      return {
        available: Number(row?.available),
        held: Number(row?.held),
        open_leases: Number(row?.open_leases),
      };
    },
  };
}
