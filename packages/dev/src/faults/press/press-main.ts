import { setTimeout as sleep } from "node:timers/promises";
import { Pool } from "undici";
import type { CallRecord } from "../make-call.ts";
import { seededRandom } from "../seeded-random.ts";
import { callFast } from "./call-fast.ts";
import { callShapes } from "./call-shapes.ts";
import type { LoadCommand, LoadNews, LoadOrder } from "./load-order.ts";

// node packages/dev/src/faults/press/press-main.ts, with an IPC channel: clients that call as fast as they are answered, in a
// process of their own, so that they take nothing from whoever watches and strikes. It ends with its channel.
const callMsMax = 60_000;
const progressMs = 20;
const recordsMax = 500_000;
const recordsPerNews = 5_000;
/**
 * Who is refused comes back a little later; who finds nobody home, or a gateway without billing, a good deal later: else a
 * hundred clients that are refused at once would take the machine from whoever is starting again.
 */
const pauseMs = { refused: 25, down: 250 };

let isStopping = false;
const records: CallRecord[] = [];
let completed = 0;

process.on("disconnect", () => process.exit());
process.on("message", (command: LoadCommand) => {
  if (command.kind === "stop") isStopping = true;
  else void press(command.order);
});

async function press(order: LoadOrder): Promise<void> {
  const perGateway = Math.ceil(order.clients / order.gatewayUrls.length);
  const pools = order.gatewayUrls.map(
    (url) =>
      new Pool(url, {
        connections: perGateway,
        pipelining: 1,
        headersTimeout: callMsMax,
        bodyTimeout: callMsMax,
        connect: { timeout: 5_000 },
      }),
  );
  const progress = setInterval(() => tell({ kind: "progress", completed }), progressMs);
  const random = seededRandom(order.seed);
  const client = async (pool: Pool) => {
    while (!isStopping && records.length < recordsMax) {
      const record = await callFast(pool, random.pick(callShapes), random.pick(order.customers));
      records.push(record);
      if (record.end === "complete") completed += 1;
      else await sleep(isDown(record) ? pauseMs.down : pauseMs.refused);
    }
  };
  await Promise.all(
    pools.flatMap((pool) => Array.from({ length: perGateway }, () => client(pool))),
  );
  clearInterval(progress);
  tell({ kind: "progress", completed });
  for (let from = 0; from < records.length; from += recordsPerNews) {
    tell({ kind: "records", records: records.slice(from, from + recordsPerNews) });
  }
  tell({ kind: "end" });
}

function isDown({ status }: CallRecord): boolean {
  return status === 0 || status === 503;
}

function tell(news: LoadNews): void {
  if (process.connected) process.send?.(news);
}
