import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { awaitCondition } from "../src/faults/await-condition.ts";
import { startCuttingProxy } from "../src/faults/cutting-proxy.ts";
import { seededRandom } from "../src/faults/seeded-random.ts";
import { tearJournal } from "../src/faults/tear-journal.ts";
import { freePort } from "../src/free-port.ts";

// The tools that break things are tools: they must do what the scenarios believe they do.

test("a proxy that swallows answers still delivers requests, and heals", async () => {
  const heard: string[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => {
      heard.push(bytes.toString());
      socket.write("answer");
    });
  }).listen(0, "127.0.0.1");
  server.unref();
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  await using proxy = await startCuttingProxy(await freePort(), () => ({
    host: "127.0.0.1",
    port,
  }));
  const dial = async () => {
    const socket = connect({ host: "127.0.0.1", port: Number(proxy.address.split(":")[1]) });
    socket.on("error", () => undefined);
    // Unread, it would never see the other side's end.
    socket.resume();
    await once(socket, "connect");
    return socket;
  };
  const first = await dial();
  const answers: string[] = [];
  first.on("data", (bytes) => answers.push(bytes.toString()));
  first.write("one");
  await awaitCondition("an answer", () => answers.length === 1);
  proxy.swallowAnswers();
  first.write("two");
  await awaitCondition("the request to arrive", () => heard.length === 2);
  const closed = closeOf(first);
  proxy.heal();
  await closed;
  assert.deepEqual([heard, answers], [["one", "two"], ["answer"]]);
  proxy.partition();
  const second = await dial();
  second.write("three");
  const cut = closeOf(second);
  proxy.heal();
  await cut;
  const third = await dial();
  third.write("four");
  await once(third, "data");
  assert.deepEqual(heard, ["one", "two", "four"]);
  third.destroy();
  server.close();
});

// `once` would reject on the error that a reset also is.
function closeOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

test("a torn record is left behind the last whole one, which stays as it was", () => {
  const home = mkdtempSync(join(tmpdir(), "farebox-tear-"));
  try {
    const record = (bytes: number) => {
      const whole = Buffer.alloc(9 + bytes, 7);
      whole.writeUInt32LE(bytes, 0);
      return whole;
    };
    const records = Buffer.concat([record(20), record(3)]);
    const path = join(home, "0000000001.journal");
    writeFileSync(path, Buffer.concat([records, Buffer.alloc(1_000)]));
    writeFileSync(join(home, "0000000002.journal"), Buffer.alloc(1_000));
    tearJournal(home, "half a payload");
    const torn = readFileSync(path);
    assert.equal(torn.length, records.length + 1_000);
    assert.deepEqual(torn.subarray(0, records.length), records);
    assert.equal(torn.readUInt32LE(records.length), 200);
  } finally {
    rmSync(home, { recursive: true });
  }
});

test("a seed repeats its numbers", () => {
  const draw = () => {
    const random = seededRandom(42);
    return Array.from({ length: 5 }, () => random.below(1_000));
  };
  assert.deepEqual(draw(), draw());
  assert.ok(new Set(draw()).size > 1);
});

test("a condition that never comes says what it was and why", async () => {
  const never = awaitCondition("rain", () => Promise.reject(new Error("dry")), 1);
  await assert.rejects(never, /rain did not come to pass within 1 ms: dry/);
});
