import { type Queryable, readTime, toBytes, toTime } from "@farebox/kit/column-values";
import { newUuid } from "@farebox/kit/ids";
import { isDuplicate, type Pool, type PoolConnection } from "@farebox/kit/mysql";
import type { RowDataPacket } from "mysql2/promise";
import type { Customer } from "../domain/saved-method.ts";

/** Whose customer: an account's, in test or live mode. */
export type CustomerKey = { readonly accountId: string; readonly isTest: boolean };

/** Reads an account's customer, writing it first when there is none: twins get the same. Not within a transaction. */
export async function ensureCustomerRow(
  pool: Pool,
  { accountId, isTest }: CustomerKey,
  nowMs: number,
): Promise<Customer> {
  const key = { accountId, isTest };
  const known = await readCustomer(pool, key);
  if (known !== undefined) return known;
  const row = { account_id: accountId, is_test: isTest ? 1 : 0, id: newUuid() };
  try {
    await pool.query("INSERT INTO customer SET ?", [{ ...row, create_time: toTime(nowMs) }]);
  } catch (error) {
    if (!isDuplicate(error)) throw error;
  }
  const customer = await readCustomer(pool, key);
  if (customer === undefined) throw new Error("a customer is gone");
  return customer;
}

/** Reads an account's customer as last committed. */
export function readCustomer(db: Queryable, key: CustomerKey): Promise<Customer | undefined> {
  return readOne(db, key, "");
}

/**
 * Locks an account's customer: its saved methods and their default change one after another. Throws when there is none: who
 * has saved a method, or asked to, has one.
 */
export async function lockCustomer(tx: PoolConnection, key: CustomerKey): Promise<Customer> {
  const customer = await readOne(tx, key, "FOR UPDATE");
  if (customer === undefined) throw new Error(`account ${key.accountId} has no customer`);
  return customer;
}

/** Notes the provider's id of a customer. The first one stays. */
export async function setProviderCustomer(
  db: Queryable,
  { id }: Customer,
  providerCustomerId: string,
): Promise<void> {
  await db.query(
    "UPDATE customer SET provider_customer_id = ? WHERE id = ? AND provider_customer_id IS NULL",
    [providerCustomerId, toBytes(id)],
  );
}

/** Forgets that the provider knows a customer, under a new id: the next one is made anew. */
export async function forgetProviderCustomer(
  db: Queryable,
  providerCustomerId: string,
  nowMs: number,
): Promise<void> {
  await db.query(
    `UPDATE customer SET id = ?, provider_customer_id = NULL, default_method_id = NULL, create_time = ?
     WHERE provider_customer_id = ?`,
    [newUuid(), toTime(nowMs), providerCustomerId],
  );
}

/** Says which method pays when no other is named; empty for none. */
export async function setDefaultMethod(
  db: Queryable,
  { accountId, isTest }: CustomerKey,
  methodId: string,
): Promise<void> {
  await db.query("UPDATE customer SET default_method_id = ? WHERE account_id = ? AND is_test = ?", [
    methodId === "" ? null : toBytes(methodId),
    accountId,
    isTest ? 1 : 0,
  ]);
}

async function readOne(
  db: Queryable,
  { accountId, isTest }: CustomerKey,
  lock: string,
): Promise<Customer | undefined> {
  const [rows] = await db.query<CustomerRow[]>(
    `SELECT LOWER(HEX(id)) AS hex, provider_customer_id, LOWER(HEX(default_method_id)) AS default_hex,
       CAST(create_time AS CHAR) AS create_text FROM customer WHERE account_id = ? AND is_test = ? ${lock}`,
    [accountId, isTest ? 1 : 0],
  );
  const [row] = rows;
  if (row === undefined) return undefined;
  return {
    id: row.hex,
    ...{ accountId, isTest },
    providerCustomerId: row.provider_customer_id ?? "",
    defaultMethodId: row.default_hex ?? "",
    createTimeMs: readTime(row.create_text) ?? 0,
  };
}

type CustomerRow = RowDataPacket & {
  readonly hex: string;
  readonly provider_customer_id: string | null;
  readonly default_hex: string | null;
  readonly create_text: string;
};
