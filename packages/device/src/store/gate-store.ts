import type { Queryable } from "@farebox/kit/column-values";

/** Waits for its turn to count something of that name and add to it; the turn ends with the transaction. */
export async function passGate(db: Queryable, name: string): Promise<void> {
  // Takes the exclusive lock at once. INSERT IGNORE would share one first, and two who share it wait for each other.
  await db.query("INSERT INTO gate (name) VALUES (?) ON DUPLICATE KEY UPDATE name = name", [name]);
}
