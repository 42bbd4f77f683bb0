import type { ResultSetHeader } from "mysql2/promise";
import { type Statements, unformatted } from "./in-one-trip.ts";
import { quoteText } from "./sql-text.ts";

/** A column as an update of many rows at once knows it. `hex` columns hold bytes, travelling as hex digits. */
export type UpdateColumn = {
  readonly name: string;
  readonly kind: "integer" | "text" | "hex" | "time";
};

/** What an update of many rows changes: `adds` are added to, `sets` replaced; `keys` name the rows. */
export type UpdateShape = {
  readonly table: string;
  readonly keys: readonly UpdateColumn[];
  readonly adds: readonly string[];
  readonly sets?: readonly UpdateColumn[];
};

/** One row's values, in the order of the shape. Integers as bigint; null sets a column to NULL. */
export type UpdateRow = {
  readonly keys: readonly (string | number)[];
  readonly adds: readonly bigint[];
  readonly sets?: readonly (string | number | bigint | null)[];
};

/**
 * Changes many rows, each by its own amounts, by one statement. Columns that nothing is added to are left out. The rows
 * must be there: one that is missing is a bug, and rolls the transaction back.
 *
 * The rows travel as JSON: STRAIGHT_JOIN then walks them in their order, and FORCE INDEX finds each by its key, on
 * MariaDB and on MySQL alike. Without it a small table is scanned, and every row of it locked. Integers keep all their
 * digits.
 */
export async function updateRows(
  tx: Statements,
  shape: UpdateShape,
  rows: readonly UpdateRow[],
): Promise<void> {
  if (rows.length === 0) return;
  const added = shape.adds.map((_, index) => rows.some((row) => row.adds[index] !== 0n));
  const adds = shape.adds.filter((_, index) => added[index]);
  const sets = shape.sets ?? [];
  if (adds.length + sets.length === 0) return;
  const columns = [
    ...shape.keys,
    ...adds.map((name): UpdateColumn => ({ name, kind: "integer" })),
    ...sets,
  ];
  const json = `[${rows.map((row) => jsonOf(row, added)).join(",")}]`;
  const on = shape.keys.map((key, index) => `t.${key.name} = ${fieldOf(key, index)}`);
  const changes = columns.slice(shape.keys.length).map((column, offset) => {
    const value = fieldOf(column, shape.keys.length + offset);
    return `t.${column.name} = ${offset < adds.length ? `t.${column.name} + ` : ""}${value}`;
  });
  const [result] = await tx.query<ResultSetHeader>(
    `UPDATE JSON_TABLE(${quoteText(json)}, '$[*]' COLUMNS (${columns.map(declare).join(", ")})) AS j
     STRAIGHT_JOIN ${shape.table} AS t FORCE INDEX (PRIMARY) ON ${on.join(" AND ")} SET ${changes.join(", ")}`,
    unformatted,
  );
  if (result.affectedRows !== rows.length) {
    throw new Error(`${shape.table}: ${result.affectedRows} of ${rows.length} rows were there`);
  }
}

function jsonOf(row: UpdateRow, added: readonly boolean[]): string {
  let json = "[";
  for (const key of row.keys) json += json === "[" ? jsonValue(key) : `,${jsonValue(key)}`;
  for (let index = 0; index < row.adds.length; index += 1) {
    if (added[index]) json += `,${row.adds[index]}`;
  }
  for (const value of row.sets ?? []) json += `,${jsonValue(value)}`;
  return `${json}]`;
}

function jsonValue(value: string | number | bigint | null): string {
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

function declare({ kind }: UpdateColumn, index: number): string {
  const type = {
    integer: "BIGINT",
    text: "VARCHAR(191) CHARACTER SET ascii COLLATE ascii_bin",
    hex: "VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin",
    time: "DATETIME(3)",
  }[kind];
  return `c${index} ${type} PATH '$[${index}]'`;
}

function fieldOf({ kind }: UpdateColumn, index: number): string {
  return kind === "hex" ? `UNHEX(j.c${index})` : `j.c${index}`;
}
