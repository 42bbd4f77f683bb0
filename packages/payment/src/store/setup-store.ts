import { oneOf, type Queryable, readTime, toBytes, toTime } from "@farebox/kit/column-values";
import type { RowDataPacket } from "mysql2/promise";
import { methodKinds } from "../domain/method-capabilities.ts";
import { ownTurnMs } from "../domain/patience.ts";
import { type MethodSetup, type SetupState, setupStates } from "../domain/saved-method.ts";
import type { CustomerKey } from "./customer-store.ts";

/** Writes a new setup, due soon. Throws a duplicate when its request is known. */
export async function insertSetup(db: Queryable, setup: MethodSetup): Promise<void> {
  await db.query("INSERT INTO method_setup SET ?", [
    {
      id: toBytes(setup.id),
      account_id: setup.accountId,
      is_test: setup.isTest ? 1 : 0,
      request_id: setup.requestId,
      kind: setup.kind,
      return_url: setup.returnUrl,
      state: setup.state,
      setup_url: "",
      due_time: toTime(setup.createTimeMs + ownTurnMs),
      create_time: toTime(setup.createTimeMs),
    },
  ]);
}

/** What a setup is found by. */
export type SetupKey =
  | { readonly id: string }
  | { readonly accountId: string; readonly requestId: string };

/** Reads a setup as last committed. */
export async function readSetup(db: Queryable, key: SetupKey): Promise<MethodSetup | undefined> {
  const [where, values] = whereOf(key);
  const [rows] = await db.query<SetupRow[]>(`${select} WHERE ${where}`, values);
  return rows[0] && toSetup(rows[0]);
}

function whereOf(key: SetupKey): [string, unknown[]] {
  if ("id" in key) return ["id = ?", [toBytes(key.id)]];
  return ["account_id = ? AND request_id = ?", [key.accountId, key.requestId]];
}

/** Writes how far a setup has come. It only moves forward: one that has ended stays as it is. */
export async function moveSetup(
  db: Queryable,
  { id }: Pick<MethodSetup, "id">,
  to: {
    readonly state: SetupState;
    readonly sessionId?: string;
    readonly setupUrl?: string;
    readonly attempts: number;
    readonly dueMs?: number;
  },
): Promise<void> {
  const changed = {
    state: to.state,
    ...(to.sessionId ? { session_id: to.sessionId } : {}),
    ...(to.setupUrl === undefined ? {} : { setup_url: to.setupUrl }),
    attempts: to.attempts,
    due_time: toTime(to.dueMs),
  };
  await db.query("UPDATE method_setup SET ? WHERE id = ? AND state IN ('CREATED', 'PENDING')", [
    changed,
    toBytes(id),
  ]);
}

/** Notes whom a page is for, before it is first asked for. Answers who it is: the first one stays. */
export async function keepSetupCustomer(
  db: Queryable,
  { id }: MethodSetup,
  providerCustomerId: string,
): Promise<string> {
  await db.query(
    "UPDATE method_setup SET provider_customer_id = ? WHERE id = ? AND provider_customer_id IS NULL",
    [providerCustomerId, toBytes(id)],
  );
  return (await readSetup(db, { id }))?.providerCustomerId ?? providerCustomerId;
}

/** How many setups of an account have not ended. */
export async function countOpenSetups(
  db: Queryable,
  { accountId, isTest }: CustomerKey,
): Promise<number> {
  const [rows] = await db.query<RowDataPacket[]>(
    `SELECT COUNT(*) AS n FROM method_setup
     WHERE account_id = ? AND is_test = ? AND state IN ('CREATED', 'PENDING')`,
    [accountId, isTest ? 1 : 0],
  );
  return Number(rows[0]?.n);
}

const select = `SELECT LOWER(HEX(id)) AS hex, account_id, is_test, request_id, kind, return_url, provider_customer_id, state, session_id, setup_url,
    attempts, CAST(create_time AS CHAR) AS create_text
  FROM method_setup`;

type SetupRow = RowDataPacket & {
  readonly hex: string;
  readonly account_id: string;
  readonly is_test: number;
  readonly request_id: string;
  readonly kind: string;
  readonly return_url: string;
  readonly provider_customer_id: string | null;
  readonly state: string;
  readonly session_id: string | null;
  readonly setup_url: string;
  readonly attempts: number;
  readonly create_text: string;
};

function toSetup(row: SetupRow): MethodSetup {
  return {
    id: row.hex,
    accountId: row.account_id,
    isTest: row.is_test === 1,
    requestId: row.request_id,
    kind: oneOf(methodKinds, row.kind),
    returnUrl: row.return_url,
    providerCustomerId: row.provider_customer_id ?? "",
    state: oneOf(setupStates, row.state),
    sessionId: row.session_id ?? "",
    setupUrl: row.setup_url,
    attempts: row.attempts,
    createTimeMs: readTime(row.create_text) ?? 0,
  };
}
