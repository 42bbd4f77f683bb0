import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import { openTestRedis } from "../testing/redis.ts";
import { createLock } from "./lock.ts";
import { createLogger } from "./logger.ts";
import { createMetrics } from "./metrics.ts";
import { closeRedis, openRedis } from "./redis.ts";

const log = createLogger({ name: "test", level: "silent" });
type Clients = Parameters<typeof createLock>[0]["clients"];

function lockOver(clients: Clients, options: { ttlMs?: number; waitMsMax?: number } = {}) {
  const metrics = createMetrics();
  const lock = createLock({ clients, ttlMs: 2000, waitMsMax: 50, log, metrics, ...options });
  return { lock, metrics };
}

test("one holder at a time; a release lets the next one in", async () => {
  await using redis = await openTestRedis();
  const { lock, metrics } = lockOver([redis.redis]);
  const key = `${redis.prefix}quota`;
  const held = await lock.tryLock(key);
  assert(held !== undefined && held.validForMs() > 1500);
  assert.equal(await lock.tryLock(key), undefined);
  held.release();
  held.release();
  assert.equal(held.validForMs(), 0);
  await lock.drain();
  const next = await lock.tryLock(key);
  assert(next !== undefined);
  next.release();
  await lock.drain();
  const text = await metrics.registry.metrics();
  assert.match(text, /lock_attempts_total\{outcome="obtained"\} 2/);
  assert.match(text, /lock_attempts_total\{outcome="contended"\} 1/);
});

test("waits for a holder that gives back in time", async () => {
  await using redis = await openTestRedis();
  const { lock } = lockOver([redis.redis], { waitMsMax: 5000 });
  const key = `${redis.prefix}quota`;
  const held = await lock.tryLock(key);
  const waiting = lock.tryLock(key);
  held?.release();
  const next = await waiting;
  assert(next !== undefined);
  next.release();
  await lock.drain();
});

test("many keys are tried one by one: a contended one does not refuse the others", async () => {
  await using redis = await openTestRedis();
  const { lock } = lockOver([redis.redis]);
  const keys = Array.from({ length: 100 }, (_, i) => `${redis.prefix}${i}`);
  const taken = await lock.tryLock(`${redis.prefix}42`);
  const held = await lock.tryLockMany(keys);
  assert.deepEqual(
    held.flatMap((one, i) => (one === undefined ? [i] : [])),
    [42],
  );
  for (const one of [taken, ...held]) one?.release();
  await lock.drain();
});

test("a lock that took longer than its life to get is not given out", async () => {
  await using redis = await openTestRedis();
  const { lock } = lockOver([redis.redis], { ttlMs: 2 });
  assert.equal(await lock.tryLock(`${redis.prefix}short`), undefined);
  await lock.drain();
});

test("Redis away is no lock, never an error", async () => {
  const gone = openRedis({ url: "redis://127.0.0.1:1", name: "gone", log });
  const { lock, metrics } = lockOver([gone]);
  assert.equal(await lock.tryLock("a"), undefined);
  assert.deepEqual(await lock.tryLockMany(["a", "b"]), [undefined, undefined]);
  assert.match(await metrics.registry.metrics(), /outcome="unavailable"\} 3/);
  await closeRedis(gone);
});

test("a Redis that accepts and never answers is given up at the hard bound", async () => {
  const sockets: Socket[] = [];
  const silent = createServer((socket) => {
    sockets.push(socket);
    socket.once("data", () => socket.write("$9\r\nloading:0\r\n".repeat(1)));
  });
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const address = silent.address();
  assert(typeof address === "object" && address !== null);
  const redis = openRedis({ url: `redis://127.0.0.1:${address.port}`, name: "silent", log });
  const { lock } = lockOver([redis]);
  assert.equal(await lock.tryLock("a"), undefined);
  redis.disconnect();
  for (const socket of sockets) socket.destroy();
  silent.close();
});

test("a majority decides: one of three servers may be away", async () => {
  await using redis = await openTestRedis();
  const gone = openRedis({ url: "redis://127.0.0.1:1", name: "gone", log });
  const urls = [1, 2].map((db) => {
    const url = new URL(redis.url);
    url.pathname = `/${db}`;
    return url.href;
  });
  const others = urls.map((url) => openRedis({ url, name: "other", log }));
  await Promise.all(others.map((other) => new Promise((resolve) => other.once("ready", resolve))));
  const { lock } = lockOver([gone, ...others]);
  const held = await lock.tryLock(`${redis.prefix}majority`);
  assert(held !== undefined);
  held.release();
  await lock.drain();
  await Promise.all([gone, ...others].map(closeRedis));
  assert.throws(() => lockOver(others), /odd/);
});

test("an aborted caller gets no lock", async () => {
  await using redis = await openTestRedis();
  const { lock } = lockOver([redis.redis]);
  assert.equal(await lock.tryLock(`${redis.prefix}a`, AbortSignal.abort()), undefined);
});
