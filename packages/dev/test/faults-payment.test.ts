import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { awaitCondition } from "../src/faults/await-condition.ts";
import { type FaultStack, openFaultStack } from "../src/faults/open-fault-stack.ts";
import { openTrade } from "../src/faults/open-trade.ts";
import { seededRandom } from "../src/faults/seeded-random.ts";
import { killHard, type Victim } from "../src/faults/strike.ts";

// Customers buy credit by pages, by saved cards and automatically, and take it back, through an emulated Stripe, while each
// process is killed in turn. Afterwards Stripe's own books and Billing's balances agree to the cent, every order has one page
// or one charge, and every fall of a balance was paid for once.

const isLong = process.env.FAREBOX_TEST_LONG === "1";
const customers = isLong ? 60 : 12;
const random = seededRandom();
console.log(`FAREBOX_TEST_SEED=${random.seed}`);

let faults: FaultStack;
before(async () => {
  faults = await openFaultStack({
    payments: "emulator",
    payment: { PAYMENT_RECONCILE_PERIOD: "5s", AUTO_RECHARGE_PERIOD: "300ms" },
  });
});
after(async () => {
  await faults?.[Symbol.asyncDispose]();
});

function victim(name: string): Victim {
  const found =
    faults.stack.children.get(name) ??
    faults.stack.databases.servers.find((server) => server.name === name);
  assert.ok(found, name);
  return found;
}

for (const name of ["payment", "billing", "mariadb"]) {
  test(`${name} is killed while credit is bought and refunded: Stripe's books and ours agree`, async (t) => {
    await using trade = openTrade(faults, random);
    for (let round = 0; round < (isLong ? 5 : 2); round += 1) {
      const before = trade.done();
      const running = trade.run(customers);
      const moment = before + 1 + random.below(customers);
      await Promise.race([running, awaitCondition("a moment", () => trade.done() >= moment)]);
      await killHard(victim(name));
      await running;
    }
    t.diagnostic(`${trade.done()} things were bought or taken back`);
    assert.deepEqual(await trade.judge(), []);
    assert.deepEqual(await faults.office.drifts(), []);
  });
}
