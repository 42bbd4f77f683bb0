import { oneOf, type Queryable, readTime, toBytes, toTime } from "@farebox/kit/column-values";
import { isDuplicate } from "@farebox/kit/mysql";
import type { ResultSetHeader, RowDataPacket } from "mysql2/promise";
import { methodKinds } from "../domain/method-capabilities.ts";
import {
  type MethodFacts,
  type MethodState,
  methodStates,
  type SavedMethod,
} from "../domain/saved-method.ts";
import type { CustomerKey } from "./customer-store.ts";

/** Writes a method that was saved. Answers false, and changes nothing, when the provider's id of it is known. */
export async function insertMethod(db: Queryable, method: SavedMethod): Promise<boolean> {
  try {
    await db.query("INSERT INTO payment_method SET ?", [rowOf(method)]);
    return true;
  } catch (error) {
    if (isDuplicate(error)) return false;
    throw error;
  }
}

function rowOf(method: SavedMethod) {
  return {
    id: toBytes(method.id),
    account_id: method.accountId,
    is_test: method.isTest ? 1 : 0,
    provider_customer_id: method.providerCustomerId,
    provider_method_id: method.providerMethodId,
    kind: method.kind,
    state: method.state,
    ...columnsOf(method),
    create_time: toTime(method.createTimeMs),
  };
}

/** What people are shown of a method. */
function columnsOf(facts: Pick<MethodFacts, "brand" | "last4" | "expireMonth" | "expireYear">) {
  return {
    brand: facts.brand.slice(0, 32),
    last4: facts.last4.slice(-4),
    expire_month: facts.expireMonth,
    expire_year: facts.expireYear,
  };
}

/** Writes what the provider now says of a method: a card that was renewed, for example. */
export async function refreshMethod(
  db: Queryable,
  { id }: SavedMethod,
  facts: MethodFacts,
): Promise<void> {
  await db.query("UPDATE payment_method SET ? WHERE id = ?", [columnsOf(facts), toBytes(id)]);
}

/** Moves a method; from REMOVED nothing leads back. Answers whether it moved. */
export async function moveMethod(
  db: Queryable,
  { id }: Pick<SavedMethod, "id">,
  to: { readonly state: MethodState; readonly attempts: number; readonly dueMs?: number },
): Promise<boolean> {
  const [result] = await db.query<ResultSetHeader>(
    "UPDATE payment_method SET state = ?, attempts = ?, due_time = ? WHERE id = ? AND state <> 'REMOVED'",
    [to.state, to.attempts, toTime(to.dueMs), toBytes(id)],
  );
  return result.affectedRows === 1;
}

/** What a method is found by. */
export type MethodKey = { readonly id: string } | { readonly providerMethodId: string };

/** Reads a method as last committed, removed or not. */
export async function readMethod(db: Queryable, key: MethodKey): Promise<SavedMethod | undefined> {
  const [where, value] =
    "id" in key ? ["id = ?", toBytes(key.id)] : ["provider_method_id = ?", key.providerMethodId];
  const [rows] = await db.query<MethodRow[]>(`${select} WHERE ${where}`, [value]);
  return rows[0] && toMethod(rows[0]);
}

/** Reads an account's methods that can be charged, newest first, bounded. */
export async function listMethods(
  db: Queryable,
  { accountId, isTest }: CustomerKey,
  limit: number,
): Promise<readonly SavedMethod[]> {
  const [rows] = await db.query<MethodRow[]>(
    `${select} WHERE account_id = ? AND is_test = ? AND state = 'ACTIVE' ORDER BY id DESC LIMIT ?`,
    [accountId, isTest ? 1 : 0, limit],
  );
  return rows.map(toMethod);
}

/** The methods of a customer of the provider's that are not removed, bounded. */
export async function methodsOfCustomer(
  db: Queryable,
  providerCustomerId: string,
): Promise<readonly SavedMethod[]> {
  const [rows] = await db.query<MethodRow[]>(
    `${select} WHERE provider_customer_id = ? AND state <> 'REMOVED' LIMIT 1000`,
    [providerCustomerId],
  );
  return rows.map(toMethod);
}

const select = `SELECT LOWER(HEX(id)) AS hex, account_id, is_test, kind, brand, last4, expire_month, expire_year,
    provider_customer_id, provider_method_id, state, attempts, CAST(create_time AS CHAR) AS create_text
  FROM payment_method`;

type MethodRow = RowDataPacket & {
  readonly hex: string;
  readonly account_id: string;
  readonly is_test: number;
  readonly kind: string;
  readonly brand: string;
  readonly last4: string;
  readonly expire_month: number;
  readonly expire_year: number;
  readonly provider_customer_id: string;
  readonly provider_method_id: string;
  readonly state: string;
  readonly attempts: number;
  readonly create_text: string;
};

function toMethod(row: MethodRow): SavedMethod {
  return {
    id: row.hex,
    accountId: row.account_id,
    isTest: row.is_test === 1,
    kind: oneOf(methodKinds, row.kind),
    brand: row.brand,
    last4: row.last4,
    expireMonth: row.expire_month,
    expireYear: row.expire_year,
    providerCustomerId: row.provider_customer_id,
    providerMethodId: row.provider_method_id,
    state: oneOf(methodStates, row.state),
    attempts: row.attempts,
    createTimeMs: readTime(row.create_text) ?? 0,
  };
}
