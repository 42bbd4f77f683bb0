import type { DecodedItem } from "../domain/usage-item.ts";
import { type Statements, unformatted } from "./in-one-trip.ts";
import { quoteText } from "./sql-text.ts";

/**
 * Ends the claims of client request ids with the attempts that held them: CHARGED when the attempt cost something, VOID
 * when it did not, so that the client's repeat runs anew. A claim that was charged stays so. A first attempt ends only
 * the claim it made itself: one that another attempt has taken over meanwhile goes on.
 */
export async function endClaims(tx: Statements, items: readonly DecodedItem[]): Promise<void> {
  if (items.length === 0) return;
  const json = `[${lastWords(items).map(jsonOf).join(",")}]`;
  await tx.query(
    `UPDATE JSON_TABLE(${quoteText(json)}, '$[*]' COLUMNS (
       account_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin PATH '$[0]',
       request_id VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin PATH '$[1]',
       id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin PATH '$[2]',
       attempt INT PATH '$[3]', cost BIGINT PATH '$[4]', is_charged INT PATH '$[5]')) AS j
     STRAIGHT_JOIN client_request AS c FORCE INDEX (PRIMARY)
       ON c.account_id = j.account_id AND c.request_id = j.request_id
     SET c.state = IF(j.is_charged = 1, 'CHARGED', 'VOID'), c.cost = j.cost,
       c.transaction_id = IF(j.is_charged = 1, UNHEX(j.id), c.transaction_id)
     WHERE c.state <> 'CHARGED' AND (j.attempt > 1 OR c.attempt_id = UNHEX(j.id))`,
    unformatted,
  );
}

/** One item a request: the one that was charged, else the last. In the order of the rows' keys. */
function lastWords(items: readonly DecodedItem[]): DecodedItem[] {
  const byRequest = new Map<string, DecodedItem>();
  for (const item of items) {
    const key = `${item.accountId} ${item.requestId}`;
    const earlier = byRequest.get(key);
    if (earlier === undefined || !isCharged(earlier)) byRequest.set(key, item);
  }
  return [...byRequest.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, item]) => item);
}

function isCharged(item: DecodedItem): boolean {
  return item.costNanos > 0n || item.freeUnits > 0;
}

function jsonOf(item: DecodedItem): string {
  const { accountId, requestId, id, attempt, costNanos } = item;
  const requestText = JSON.stringify(requestId);
  return `["${accountId}",${requestText},"${id}",${attempt},${costNanos},${isCharged(item) ? 1 : 0}]`;
}
