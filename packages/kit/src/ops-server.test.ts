import assert from "node:assert/strict";
import { test } from "node:test";
import { createMetrics } from "./metrics.ts";
import { openOpsServer } from "./ops-server.ts";

const host = "127.0.0.1";
const anyPort = { port: 0, explicit: true };

test("is alive, ready when every check passes, and shows its metrics", async () => {
  const metrics = createMetrics();
  metrics.counter({ name: "things_total", help: "Things." }).inc(3);
  await using ops = await openOpsServer({
    host,
    port: anyPort,
    metrics,
    checks: { mysql: async () => undefined },
  });
  for (const path of ["/healthz", "/livez", "/readyz"]) {
    assert.equal((await fetch(ops.url + path)).status, 200, path);
  }
  assert.match(await (await fetch(`${ops.url}/metrics`)).text(), /things_total 3/);
  assert.equal((await fetch(`${ops.url}/other`)).status, 404);
});

test("names the checks that fail or do not answer, without their causes", async () => {
  await using ops = await openOpsServer({
    host,
    port: anyPort,
    metrics: createMetrics(),
    checkMsMax: 20,
    checks: {
      good: async () => undefined,
      bad: () => Promise.reject(new Error("secret address")),
      silent: () => new Promise(() => undefined),
    },
  });
  const response = await fetch(`${ops.url}/readyz`);
  assert.equal(response.status, 503);
  assert.deepEqual(await response.json(), { ready: false, failing: ["bad", "silent"] });
});

test("a default port that is taken gives way, an explicit one is an error", async () => {
  const open = (port: number, explicit: boolean) =>
    openOpsServer({ host, port: { port, explicit }, metrics: createMetrics(), checks: {} });
  await using first = await open(0, true);
  await using second = await open(first.port, false);
  assert.notEqual(second.port, first.port);
  await assert.rejects(open(first.port, true), /is taken/);
});
