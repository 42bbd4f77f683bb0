import type { UpstreamLog } from "../targets/bench-upstream.ts";

/** Reads what the benchmark's upstream has answered since the last time it was read. */
export async function readUpstreamLog(url: string): Promise<UpstreamLog> {
  const res = await fetch(`${url}/__log`, {
    method: "DELETE",
    signal: AbortSignal.timeout(10_000),
  });
  if (!res.ok) throw new Error(`the upstream's log was answered ${res.status}`);
  return JSON.parse(await res.text());
}
