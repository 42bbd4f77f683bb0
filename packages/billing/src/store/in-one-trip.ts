import assert from "node:assert/strict";
import type { PoolConnection, ResultSetHeader } from "mysql2/promise";

/** What the statements of a transaction are issued on: its connection, or one trip of it. */
export type Statements = Pick<PoolConnection, "query">;

/** No values to fill in, not even none: the driver then does not search the text for places to put them. */
export const unformatted = null;

/**
 * Runs the statements that `issue` issues at once, without waiting for one another, as one text: one round trip where there
 * would be one each, and a busy event loop lies between any two. They run in the order they were issued in. When one fails,
 * none after it runs, all of them reject, and so does this: the transaction rolls back.
 *
 * Only `unformatted` statements travel. What a function issues later, once it was answered, goes to the connection by itself.
 * The pool must allow several statements in a text.
 */
export async function inOneTrip<T extends readonly unknown[]>(
  tx: Statements,
  issue: (trip: Statements) => { readonly [K in keyof T]: Promise<T[K]> },
): Promise<T> {
  const issued: Issued[] = [];
  let hasLeft = false;
  const trip = {
    query: (sql: string, values: unknown[] | null) => {
      if (hasLeft) return tx.query(sql, values);
      assert(values === unformatted, "a statement with values would overtake those of the trip");
      return new Promise((resolve, reject) => issued.push({ sql, resolve, reject }));
    },
  };
  // The overloads of `query` differ in what the rows are taken for, and nothing else: every one of them takes a text.
  const results = Promise.all(issue(trip as unknown as Statements));
  // Heard at the end. One that rejects while the statements travel must not count as unhandled, which ends the process.
  results.catch(() => undefined);
  hasLeft = true;
  await send(tx, issued);
  return results as unknown as Promise<T>;
}

type Issued = {
  readonly sql: string;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
};

/** Never rejects: whoever issued a statement hears what became of it. */
async function send(tx: Statements, issued: readonly Issued[]): Promise<void> {
  if (issued.length === 0) return;
  const text = issued.map(({ sql }) => sql).join(";\n");
  try {
    const [answer] = await tx.query<ResultSetHeader[]>(text, unformatted);
    const answers: readonly unknown[] = issued.length === 1 ? [answer] : answer;
    issued.forEach(({ resolve }, index) => {
      resolve([answers[index]]);
    });
  } catch (error) {
    for (const { reject } of issued) reject(error);
  }
}
