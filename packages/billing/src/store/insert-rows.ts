import type { ResultSetHeader } from "mysql2/promise";
import { type Statements, unformatted } from "./in-one-trip.ts";

/** One column of an insert: its SQL literal for a row, and the literal of its default, if the schema has one. */
export type InsertColumn<Row> = {
  readonly name: string;
  readonly literal: (row: Row) => string;
  readonly usual?: string;
};

/**
 * Inserts rows by one statement, leaving out the columns that hold their default in every row: reading values is most of
 * what an insert costs the server. `tail` follows the values, for ON DUPLICATE KEY UPDATE. Inserts nothing for no rows.
 */
export async function insertRows<Row>(
  tx: Statements,
  into: {
    readonly table: string;
    readonly columns: readonly InsertColumn<Row>[];
    readonly tail?: (columns: readonly string[]) => string;
  },
  rows: readonly Row[],
): Promise<void> {
  if (rows.length === 0) return;
  const columns = into.columns.filter((column) => isUnusual(column, rows));
  const names = columns.map((column) => column.name);
  const tail = into.tail === undefined ? "" : ` ${into.tail(names)}`;
  await tx.query<ResultSetHeader>(
    `INSERT INTO ${into.table} (${names.join(",")}) VALUES ${valuesOf(columns, rows)}${tail}`,
    unformatted,
  );
}

/** Whether some row holds something else than the column's default. */
function isUnusual<Row>({ usual, literal }: InsertColumn<Row>, rows: readonly Row[]): boolean {
  if (usual === undefined) return true;
  for (const row of rows) if (literal(row) !== usual) return true;
  return false;
}

function valuesOf<Row>(columns: readonly InsertColumn<Row>[], rows: readonly Row[]): string {
  const values: string[] = [];
  for (const row of rows) {
    let text = "(";
    for (const column of columns) {
      if (text !== "(") text += ",";
      text += column.literal(row);
    }
    values.push(`${text})`);
  }
  return values.join(",");
}
