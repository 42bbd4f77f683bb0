import { AppError, fieldError } from "@farebox/kit/app-error";
import type { Orm } from "@farebox/kit/orm";
import { type EntityManager, UniqueConstraintViolationException } from "@mikro-orm/mysql";
import { IdempotencyKeyRow } from "./tables.ts";

/** A request that must take effect once, and what it asks for. */
export type OnceKey = {
  /** The account it is scoped to; empty for requests of operators that name none. */
  readonly accountId: string;
  readonly method: string;
  readonly requestId: string;
  /** Hash of all that the request asks for: the same id with another hash is refused. */
  readonly sha256: Uint8Array;
  readonly nowMs: number;
};

/**
 * Runs `fn` in the transaction that records the request, so that it takes effect once however often and concurrently it
 * arrives. `result` names what is made, at most 1024 bytes, chosen beforehand. `isFirst` is false for a repetition: `fn`
 * has then not run, and the result is the first one's.
 *
 * Errors: REQUEST_ID_REUSED, INVALID_ARGUMENT for an id that ends with a space: to MySQL it is the id without it.
 */
export async function requestOnce(
  orm: Orm,
  key: OnceKey,
  result: Uint8Array,
  fn: (em: EntityManager) => Promise<void>,
): Promise<{ readonly isFirst: boolean; readonly result: Uint8Array }> {
  if (key.requestId.endsWith(" ")) throw fieldError("request_id", "must not end with a space");
  const known = await findRequest(orm, key);
  if (known !== undefined) return { isFirst: false, result: known };
  try {
    await orm.write(async (em) => {
      await em.insert(IdempotencyKeyRow, {
        accountId: key.accountId,
        method: key.method,
        requestId: key.requestId,
        sha256: Buffer.from(key.sha256),
        result: Buffer.from(result),
        createTime: new Date(key.nowMs),
      });
      await fn(em);
    });
    return { isFirst: true, result };
  } catch (error) {
    // A twin committed between the two: the unique key made this one wait for it.
    const twin =
      error instanceof UniqueConstraintViolationException ? await findRequest(orm, key) : undefined;
    if (twin === undefined) throw error;
    return { isFirst: false, result: twin };
  }
}

async function findRequest(orm: Orm, key: OnceKey): Promise<Uint8Array | undefined> {
  const { accountId, method, requestId } = key;
  const row = await orm.read((em) =>
    em.findOne(IdempotencyKeyRow, { accountId, method, requestId }),
  );
  if (row === null) return undefined;
  if (!Buffer.from(row.sha256).equals(key.sha256)) throw new AppError("REQUEST_ID_REUSED");
  return row.result;
}
