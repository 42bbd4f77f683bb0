import type { PoolConnection, ResultSetHeader } from "mysql2/promise";
import { unformatted } from "./insert-rows.ts";

/** What statements are issued on: a connection, or one trip of it. */
export type Statements = Pick<PoolConnection, "query">;

/**
 * Runs the statements that `issue` issues at once, without waiting for one another, as one text: one round trip where there
 * would be one each, and a busy event loop lies between any two. They run in the order they were issued in. When one fails,
 * none after it runs, all of them reject, and so does this: the transaction rolls back.
 *
 * A statement that is issued later, by a function that needs several rounds, goes to the connection by itself. The pool must
 * allow several statements in a text.
 */
export async function inOneTrip<T extends readonly unknown[]>(
  tx: Statements,
  issue: (trip: Statements) => { readonly [K in keyof T]: Promise<T[K]> },
): Promise<T> {
  const issued: Issued[] = [];
  let hasLeft = false;
  const trip = {
    query: (sql: string, values: unknown[] | null) =>
      hasLeft || values !== unformatted
        ? tx.query(sql, values)
        : new Promise((resolve, reject) => issued.push({ sql, resolve, reject })),
  };
  // The overloads of `query` differ in what the rows are taken for, and nothing else: every one of them takes a text.
  const results = Promise.all(issue(trip as unknown as Statements));
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
