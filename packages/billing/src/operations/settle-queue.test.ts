import assert from "node:assert/strict";
import test from "node:test";
import type { DecodedItem } from "../domain/usage-item.ts";
import { createSettleQueue } from "./settle-queue.ts";

/** The queue reads nothing of an item but its account. */
const itemOf = (accountId: string) => ({ accountId }) as DecodedItem;

test("answers in the order of the items, whichever lane settled them", async () => {
  const accounts = Array.from({ length: 64 }, (_, index) => `acc_${(index % 16).toString(16)}`);
  const queue = createSettleQueue({
    settle: async (items) => {
      // The first lane answers last.
      if (items.some(({ accountId }) => accountId === "acc_0")) {
        await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
      }
      return items.map(({ accountId }) => (accountId.endsWith("7") ? "LATE" : "APPLIED"));
    },
  });
  const statuses = await queue.submit(accounts.map(itemOf));
  assert.deepEqual(
    statuses,
    accounts.map((id) => (id.endsWith("7") ? "LATE" : "APPLIED")),
  );
});

test("never settles an account in two transactions at once", async () => {
  const busy = new Set<string>();
  const queue = createSettleQueue({
    settle: async (items) => {
      const accounts = new Set(items.map(({ accountId }) => accountId));
      for (const id of accounts) assert(!busy.has(id), `${id} is being settled already`);
      for (const id of accounts) busy.add(id);
      await new Promise((resolve) => setImmediate(resolve));
      for (const id of accounts) busy.delete(id);
      return items.map(() => "APPLIED");
    },
  });
  const submit = () => queue.submit(["acc_0", "acc_1", "acc_2", "acc_f", ""].map(itemOf));
  const all = await Promise.all(Array.from({ length: 20 }, submit));
  assert.equal(all.flat().length, 100);
});

test("fails as a whole when one lane fails", async () => {
  const queue = createSettleQueue({
    settle: async (items) => {
      if (items.some(({ accountId }) => accountId === "acc_1")) throw new Error("down");
      return items.map(() => "APPLIED");
    },
  });
  await assert.rejects(queue.submit(["acc_0", "acc_1"].map(itemOf)), /down/);
});
