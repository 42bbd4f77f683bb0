import { setTimeout as sleep } from "node:timers/promises";
import { figure, openBooks } from "../../conservation/open-books.ts";

const pollMs = 100;
const stillMsMax = 15_000;

/**
 * Waits until Billing has booked this many calls. Gives up when their number has not changed for 15 s: what is missing then
 * is for the check to name. The last call's transaction is committed with everything that it moves, so that the books may be
 * read at once.
 */
export async function awaitSettled(databaseUrl: string, calls: number): Promise<void> {
  let settled = -1;
  let stillMs = 0;
  while (stillMs < stillMsMax) {
    const now = await countTransactions(databaseUrl);
    if (now >= calls) return;
    stillMs = now === settled ? stillMs + pollMs : 0;
    settled = now;
    await sleep(pollMs);
  }
}

function countTransactions(databaseUrl: string): Promise<number> {
  return openBooks(databaseUrl, async (books) => {
    const rows = await books.rows(
      "SELECT (SELECT COUNT(*) FROM usage_transaction) + (SELECT COUNT(*) FROM usage_late) AS calls",
    );
    return rows[0] === undefined ? 0 : Number(figure(rows[0], "calls"));
  });
}
