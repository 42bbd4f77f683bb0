import type { Attempt, Totals } from "../upstream/attempt-log.ts";

/** What the demo upstream itself says it delivered. */
export type UpstreamBooks = {
  /** The last 100,000 attempts, oldest first. */
  readonly attempts: readonly Attempt[];
  /** How many earlier ones its log no longer holds; `totals` counts them all the same. */
  readonly dropped: number;
  readonly totals: Totals;
};

const pageSize = 10_000;
const pagesMax = 50;

/** Reads the whole log of a demo upstream. Attempts that are still being answered are not in it yet. */
export async function readUpstream(url: string): Promise<UpstreamBooks> {
  const totals: Totals = await getJson(`${url}/__totals`);
  const attempts: Attempt[] = [];
  let dropped = 0;
  for (let page = 0; page < pagesMax; page++) {
    const since = dropped + attempts.length;
    const log: LogPage = await getJson(`${url}/__log?since=${since}&limit=${pageSize}`);
    if (attempts.length === 0) dropped = log.dropped;
    attempts.push(...log.attempts);
    if (log.attempts.length < pageSize) break;
  }
  return { attempts, dropped, totals };
}

type LogPage = { readonly attempts: readonly Attempt[]; readonly dropped: number };

const timeoutMs = 20_000;

async function getJson<T>(url: string): Promise<T> {
  const res = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
  if (!res.ok) throw new Error(`${url} was answered ${res.status}`);
  return JSON.parse(await res.text());
}
