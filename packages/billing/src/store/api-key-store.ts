import { LockMode } from "@mikro-orm/core";
import type { EntityManager } from "@mikro-orm/mysql";
import { type ApiKey, scopeNames } from "../domain/api-key.ts";
import { toApiKey } from "./mapping.ts";
import { ApiKeyRow } from "./tables.ts";

/** A key by its id; undefined when there is none. */
export async function findApiKey(em: EntityManager, id: Uint8Array): Promise<ApiKey | undefined> {
  const row = await em.findOne(ApiKeyRow, { id: Buffer.from(id) });
  return row === null ? undefined : toApiKey(row);
}

/** The same, locked until the transaction ends: its latest state, which nobody changes meanwhile. */
export async function lockApiKey(em: EntityManager, id: Uint8Array): Promise<ApiKey | undefined> {
  const lockMode = LockMode.PESSIMISTIC_WRITE;
  const row = await em.findOne(ApiKeyRow, { id: Buffer.from(id) }, { lockMode });
  return row === null ? undefined : toApiKey(row);
}

/** Keys by the keyed hash of their secrets, in no order; unknown hashes are left out. */
export async function findApiKeysByHash(
  em: EntityManager,
  hashes: readonly Uint8Array[],
): Promise<readonly ApiKey[]> {
  if (hashes.length === 0) return [];
  const rows = await em.find(ApiKeyRow, { hash: { $in: hashes.map((it) => Buffer.from(it)) } });
  return rows.map(toApiKey);
}

/** A page of an account's keys, newest first, after an id. */
export async function listApiKeyRows(
  em: EntityManager,
  page: {
    readonly accountId: string;
    readonly after: Uint8Array | undefined;
    readonly limit: number;
  },
): Promise<readonly ApiKey[]> {
  const { accountId, after, limit } = page;
  const rows = await em.find(
    ApiKeyRow,
    { accountId, ...(after && { id: { $lt: Buffer.from(after) } }) },
    { orderBy: { id: "desc" }, limit },
  );
  return rows.map(toApiKey);
}

/** Keys that changed at or after an instant, oldest change first. */
export async function apiKeysChangedSince(
  em: EntityManager,
  sinceMs: number,
  limit: number,
): Promise<readonly ApiKey[]> {
  const rows = await em.find(
    ApiKeyRow,
    { updateTime: { $gte: new Date(sinceMs) } },
    { orderBy: { updateTime: "asc", id: "asc" }, limit },
  );
  return rows.map(toApiKey);
}

/** Adds a key. */
export async function insertApiKey(em: EntityManager, key: ApiKey): Promise<void> {
  await em.insert(ApiKeyRow, {
    id: Buffer.from(key.id),
    accountId: key.accountId,
    userId: key.userId,
    displayName: key.displayName,
    hash: Buffer.from(key.hash),
    last4: key.last4,
    scopes: key.scopes.map((scope) => scopeNames[scope]).join(","),
    allowedModels: JSON.stringify(key.allowedModels),
    state: key.state,
    expireTime: timeOf(key.expireTimeMs),
    createTime: new Date(key.createTimeMs),
    updateTime: new Date(key.updateTimeMs),
    revokeTime: timeOf(key.revokeTimeMs),
  });
}

/** Changes a key unless it is revoked, which is for good. Tells whether it was changed. */
export async function changeApiKey(
  em: EntityManager,
  id: Uint8Array,
  change: Partial<Pick<ApiKey, "state" | "expireTimeMs" | "revokeTimeMs">>,
  nowMs: number,
): Promise<boolean> {
  const changed = await em.nativeUpdate(
    ApiKeyRow,
    { id: Buffer.from(id), state: { $ne: "REVOKED" } },
    {
      updateTime: new Date(nowMs),
      ...(change.state !== undefined && { state: change.state }),
      ...("expireTimeMs" in change && { expireTime: timeOf(change.expireTimeMs) }),
      ...("revokeTimeMs" in change && { revokeTime: timeOf(change.revokeTimeMs) }),
    },
  );
  return changed > 0;
}

function timeOf(ms: number | undefined): Date | null {
  return ms === undefined ? null : new Date(ms);
}
