import type { PoolConnection, ResultSetHeader } from "mysql2/promise";

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
  tx: PoolConnection,
  into: {
    readonly table: string;
    readonly columns: readonly InsertColumn<Row>[];
    readonly tail?: (columns: readonly string[]) => string;
  },
  rows: readonly Row[],
): Promise<void> {
  if (rows.length === 0) return;
  const names: string[] = [];
  const literals: string[][] = [];
  for (const column of into.columns) {
    const texts = literalsOf(column, rows);
    if (texts === undefined) continue;
    names.push(column.name);
    literals.push(texts);
  }
  const tail = into.tail === undefined ? "" : ` ${into.tail(names)}`;
  await tx.query<ResultSetHeader>(
    `INSERT INTO ${into.table} (${names.join(",")}) VALUES ${valuesOf(literals, rows.length)}${tail}`,
  );
}

/** A column's literals, row by row; undefined when all of them are the default. */
function literalsOf<Row>(column: InsertColumn<Row>, rows: readonly Row[]): string[] | undefined {
  const { literal, usual } = column;
  let isUsual = usual !== undefined;
  const texts: string[] = [];
  for (const row of rows) {
    const text = literal(row);
    if (isUsual && text !== usual) isUsual = false;
    texts.push(text);
  }
  return isUsual ? undefined : texts;
}

function valuesOf(literals: readonly (readonly string[])[], rowsCount: number): string {
  let values = "";
  for (let row = 0; row < rowsCount; row += 1) {
    let comma = row === 0 ? "(" : ",(";
    for (const texts of literals) {
      values += comma + texts[row];
      comma = ",";
    }
    values += ")";
  }
  return values;
}
