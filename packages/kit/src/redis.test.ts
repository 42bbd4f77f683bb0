import assert from "node:assert/strict";
import { createConnection, createServer, type Socket } from "node:net";
import { test } from "node:test";
import type { Redis } from "ioredis";
import { openTestRedis } from "../testing/redis.ts";
import { createLogger } from "./logger.ts";
import { closeRedis, openRedis } from "./redis.ts";

function recorder() {
  const events: string[] = [];
  const write = (line: string) => events.push(JSON.parse(line).event);
  return { events, log: createLogger({ name: "test", write }) };
}

test("answers commands, and closes cleanly", async () => {
  await using redis = await openTestRedis();
  await redis.redis.set(`${redis.prefix}a`, "1");
  assert.equal(await redis.redis.get(`${redis.prefix}a`), "1");
});

test("while Redis is away commands reject at once, and it is logged once", async () => {
  const { events, log } = recorder();
  const redis = openRedis({ url: "redis://127.0.0.1:1", name: "gone", log });
  await assert.rejects(redis.get("a"));
  await event(redis, "reconnecting");
  await event(redis, "reconnecting");
  await assert.rejects(redis.get("a"));
  assert.deepEqual(events, ["redis.unavailable"]);
  await closeRedis(redis);
});

test("a debit whose answer was lost is applied once, not again after the reconnect", async () => {
  await using own = await openTestRedis();
  const key = `${own.prefix}debit`;
  const { proxy, port } = await losesAnswersOf("incr", new URL(own.url));
  const { log } = recorder();
  const redis = openRedis({ url: `redis://127.0.0.1:${port}`, name: "flaky", log });
  await event(redis, "ready");
  await assert.rejects(redis.incr(key));
  await event(redis, "ready");
  assert.equal(await own.redis.get(key), "1");
  await closeRedis(redis);
  proxy.close();
});

test("a command without an answer is given up at its bound", async () => {
  await using own = await openTestRedis();
  const { log } = recorder();
  const redis = openRedis({ url: own.url, name: "slow", log, commandMsMax: 30 });
  await event(redis, "ready");
  await assert.rejects(redis.blpop(`${own.prefix}nothing`, 5), /timed out/i);
  redis.disconnect();
});

/** The next event, whatever errors are emitted before it. */
function event(redis: Redis, name: string): Promise<void> {
  return new Promise((resolve) => redis.once(name, () => resolve()));
}

/** A proxy that passes a command on to Redis, and cuts the connection when Redis answers it. */
async function losesAnswersOf(command: string, target: URL) {
  const { hostname } = target;
  const redisPort = Number(target.port);
  const proxy = createServer((client: Socket) => {
    const server = createConnection(redisPort, hostname);
    let isLosing = false;
    client.on("data", (bytes) => {
      isLosing = bytes.includes(command);
      server.write(bytes);
    });
    server.on("data", (bytes) => {
      if (isLosing) client.destroy();
      else client.write(bytes);
    });
    client.on("close", () => server.destroy());
    server.on("error", () => client.destroy());
    client.on("error", () => server.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const address = proxy.address();
  assert(typeof address === "object" && address !== null);
  return { proxy, port: address.port };
}
