import type { Queryable } from "@farebox/kit/column-values";

/** Waits for its turn to count something of that name and add to it; the turn ends with the transaction. */
export async function passGate(db: Queryable, name: string): Promise<void> {
  await db.query("INSERT IGNORE INTO gate (name) VALUES (?)", [name]);
  await db.query("SELECT name FROM gate WHERE name = ? FOR UPDATE", [name]);
}
