import type { PageCursor } from "@farebox/kit/page-token";
import type { InferEntity } from "@mikro-orm/core";
import type { EntityManager, FilterQuery } from "@mikro-orm/mysql";
import type { CreditGrant } from "../domain/credit-grant.ts";
import { toCreditGrant } from "./mapping.ts";
import { CreditGrantRow } from "./tables.ts";

type Grant = InferEntity<typeof CreditGrantRow>;

/** A grant, and where a page that ends with it goes on. */
export type ListedGrant = { readonly grant: CreditGrant; readonly cursor: PageCursor };

export type GrantPage = {
  readonly accountId: string;
  readonly cursor: PageCursor | undefined;
  readonly limit: number;
};

/** All grants of an account, newest first. */
export async function listGrantsByAge(
  em: EntityManager,
  page: GrantPage,
): Promise<readonly ListedGrant[]> {
  const after = page.cursor?.[0];
  const rows = await em.find(
    CreditGrantRow,
    {
      accountId: page.accountId,
      ...(after !== undefined && { id: { $lt: Buffer.from(String(after), "hex") } }),
    },
    { orderBy: { id: "desc" }, limit: page.limit },
  );
  return rows.map((row) => ({
    grant: toCreditGrant(row),
    cursor: [Buffer.from(row.id).toString("hex")],
  }));
}

/**
 * The grants of an account with something left, in the order that settlement burns them: highest priority, then soonest
 * expiry with "never" last, then age. An account has few open ones, so that they are sorted, not indexed.
 */
export async function listOpenGrantsByUse(
  em: EntityManager,
  page: GrantPage,
  nowMs: number,
): Promise<readonly ListedGrant[]> {
  const rows = await em.find(
    CreditGrantRow,
    {
      accountId: page.accountId,
      remaining: { $gt: 0n },
      $and: [
        { $or: [{ expireTime: null }, { expireTime: { $gt: new Date(nowMs) } }] },
        ...(page.cursor ? [usedAfter(page.cursor)] : []),
      ],
    },
    {
      orderBy: { priority: "desc", expireTime: "asc nulls last", createTime: "asc", id: "asc" },
      limit: page.limit,
    },
  );
  return rows.map((row) => ({
    grant: toCreditGrant(row),
    cursor: [
      row.priority,
      row.expireTime?.getTime() ?? never,
      row.createTime.getTime(),
      Buffer.from(row.id).toString("hex"),
    ],
  }));
}

/** How a cursor spells the expiry of a grant that has none. */
const never = -1;

function usedAfter(cursor: PageCursor): FilterQuery<Grant> {
  const [priority, expireTimeMs, createTimeMs, idHex] = cursor;
  const id = Buffer.from(String(idHex), "hex");
  const createTime = new Date(Number(createTimeMs));
  const sameExpiry = expireTimeMs === never ? null : new Date(Number(expireTimeMs));
  const younger = { $or: [{ createTime: { $gt: createTime } }, { createTime, id: { $gt: id } }] };
  const later = [{ expireTime: sameExpiry, ...younger }];
  if (sameExpiry === null) return either(Number(priority), later);
  return either(Number(priority), [
    ...later,
    { expireTime: { $gt: sameExpiry } },
    { expireTime: null },
  ]);
}

function either(priority: number, samePriority: FilterQuery<Grant>[]): FilterQuery<Grant> {
  return { $or: [{ priority: { $lt: priority } }, { priority, $or: samePriority }] };
}
