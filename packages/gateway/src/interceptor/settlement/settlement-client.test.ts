import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { createLogger } from "@farebox/kit/logger";
import { fakeClock } from "@farebox/kit/testing/clock";
import { FakeBilling } from "../../../testing/fake-billing.ts";
import {
  appendIntent,
  appendOutcome,
  attemptNumber,
  journalDirectory,
  smallJournal,
} from "../../../testing/journal.ts";
import { openJournal } from "../journal/open-journal.ts";
import { GatewayEpoch } from "./gateway-epoch.ts";
import { SettlementClient } from "./settlement-client.ts";

const soon = () => AbortSignal.timeout(10_000);

async function opened(directory: string, billing: FakeBilling) {
  const { journal, gatewayId } = await openJournal(smallJournal(directory));
  const clock = fakeClock();
  const log = createLogger({ name: "test", level: "silent" });
  const replayEnd = journal.durablePosition;
  const epoch = new GatewayEpoch(clock);
  const client = new SettlementClient({
    billing,
    journal,
    epoch,
    gatewayId,
    clock,
    log,
    replayEnd,
  });
  client.start();
  return { journal, clock, epoch, client };
}

test("what a dropped stream left unanswered is sent again, and every outcome is charged once", async (t) => {
  const billing = new FakeBilling();
  const { journal, clock, client } = await opened(journalDirectory(t), billing);
  await client.ready(soon());
  let n = 0;
  for (let round = 0; round < 5; round++) {
    billing.isAcknowledging = round % 2 === 0;
    const group: Promise<void>[] = [];
    for (let i = 0; i < 700; i++, n++)
      group.push(appendOutcome(journal, n, 1n, appendIntent(journal, n)));
    await Promise.all(group);
    if (round % 2 === 1) await until(() => billing.heard.length > 0);
    billing.dropStreams();
    billing.isAcknowledging = true;
    await clock.advance(2000);
  }
  await client.settled(journal.durablePosition, soon());
  assert.deepEqual(
    [...billing.items.values()].map(attemptNumber),
    Array.from({ length: n }, (_, i) => i),
  );
  assert.equal(client.acknowledged, journal.durablePosition);
  const batches = billing.heard.filter((it) => it.startsWith("batch"));
  assert.ok(batches.every((it) => Number(it.split(" ")[1]) <= 1000));
  await client.stop();
  await journal.close();
});

test("a journal that a killed process left is settled whole before anything is admitted", async (t) => {
  const directory = journalDirectory(t);
  const writer = fileURLToPath(new URL("../../../testing/journal-writer.ts", import.meta.url));
  const child = spawn(process.execPath, [writer, directory], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
    if (text.length > 20_000) child.kill("SIGKILL");
  });
  await once(child, "close");
  const resolved = text.split("\n").slice(0, -1).map(Number);
  const billing = new FakeBilling();
  billing.epoch = 7n;
  const { journal, client } = await opened(directory, billing);
  await client.ready(soon());
  const charged = new Map(
    [...billing.items.values()].map((it) => [attemptNumber(it), it.costNanos]),
  );
  for (const attempt of resolved) assert.equal(charged.get(attempt), BigInt(attempt));
  assert.equal(billing.drained, 6n);
  assert.equal(billing.heard[0], "hello");
  assert.equal(billing.heard.at(-1), "drained");
  assert.ok(billing.heard.slice(1, -1).every((it) => it.startsWith("batch")));
  await client.stop();
  await journal.close();
});

test("leases are renewed every 5 s, and a stream that does not answer is opened again", async (t) => {
  const billing = new FakeBilling();
  const { journal, clock, epoch, client } = await opened(journalDirectory(t), billing);
  await client.ready(soon());
  for (let i = 0; i < 10; i++) {
    await clock.advance(5000);
    await until(() => billing.heard.filter((it) => it === "renew").length === i + 1);
  }
  assert.equal(epoch.isValid, true, "50 s after the welcome");
  billing.isAcknowledging = false;
  await clock.advance(5000);
  billing.isAcknowledging = true;
  await clock.advance(15_000);
  await clock.advance(2000);
  await until(() => billing.heard.filter((it) => it === "hello").length === 2);
  await client.stop();
  await journal.close();
});

/** Lets the process work until the condition holds; a test that waits in vain fails by the runner's own time limit. */
async function until(isMet: () => boolean): Promise<void> {
  while (!isMet()) await new Promise((resolve) => setTimeout(resolve, 2));
}
