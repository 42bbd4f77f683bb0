import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type FaultStack, openFaultStack } from "../src/faults/open-fault-stack.ts";
import { seededRandom } from "../src/faults/seeded-random.ts";
import { killHard } from "../src/faults/strike.ts";
import { underFire } from "../src/faults/under-fire.ts";

// The Redlock lock only keeps gateways out of each other's way. So one gateway here has it off, another reaches no Redis.

const isLong = process.env.FAREBOX_TEST_LONG === "1";
const random = seededRandom();
console.log(`FAREBOX_TEST_SEED=${random.seed}`);

let faults: FaultStack;

before(async () => {
  faults = await openFaultStack({
    gateways: 2,
    gateway: (name) =>
      name === "gateway" ? { QUOTA_LOCK: "off" } : { REDIS_URL: "redis://127.0.0.1:1" },
  });
});

after(() => faults?.[Symbol.asyncDispose]());

test("without the lock, kills of billing, MariaDB and a gateway under load change nothing: all is charged once", async (t) => {
  for (let round = 0; round < (isLong ? 3 : 1); round++) {
    const report = await underFire(faults, {
      random,
      clients: isLong ? 192 : 64,
      answers: isLong ? 6_000 : 700,
      deaths: "some",
      strike: async (_, load) => {
        const { children, databases } = faults.stack;
        const mariadb = databases.servers.find((server) => server.name === "mariadb");
        for (const victim of [children.get("billing"), mariadb, children.get("gateway2")]) {
          assert.ok(victim);
          await killHard(victim);
          await load.completes(300);
        }
      },
    });
    const { beforeStrike, peak } = report.perSecond;
    t.diagnostic(`${report.calls} calls, ${beforeStrike}/s before the strike, ${peak}/s at best`);
    assert.deepEqual(report.brokenLaws, []);
    assert.deepEqual(report.drifts, []);
  }
});
