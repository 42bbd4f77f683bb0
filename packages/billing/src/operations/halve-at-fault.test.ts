import assert from "node:assert/strict";
import test from "node:test";
import { AppError } from "@farebox/kit/app-error";
import { halveAtFault } from "./halve-at-fault.ts";

const errorOf = (fields: object) => Object.assign(new Error("no"), fields);

/** Doubles numbers together; throws when one of them is bad. */
function doubling(bad: ReadonlySet<number>, error: unknown) {
  return {
    together: async (items: readonly number[]) => {
      if (items.some((item) => bad.has(item))) throw error;
      return items.map((item) => item * 2);
    },
    alone: async (item: number) => -item,
  };
}

test("the items at fault stand alone, all others are done, in their order", async () => {
  const items = Array.from({ length: 1000 }, (_, index) => index + 1);
  const answers = await halveAtFault(
    items,
    doubling(new Set([7, 8, 1000]), errorOf({ errno: 4025 })),
  );
  const wanted = items.map((item) => ([7, 8, 1000].includes(item) ? -item : item * 2));
  assert.deepEqual(answers, wanted);
});

// biome-ignore format: a decision table is read by column
const notTheirs: [name: string, error: unknown][] = [
  ["a refusal",                    new AppError("UNAVAILABLE")],
  ["a connection that was lost",   errorOf({ code: "ECONNRESET" })],
  ["a deadlock",                   errorOf({ errno: 1213 })],
];
for (const [name, error] of notTheirs) {
  test(`${name} is nobody's fault, and thrown`, async () => {
    await assert.rejects(
      halveAtFault([1, 2], doubling(new Set([1]), error)),
      (thrown) => thrown === error,
    );
  });
}

test("a bug that one item meets is that item's", async () => {
  assert.deepEqual(await halveAtFault([1, 2], doubling(new Set([2]), new TypeError("x"))), [2, -2]);
});
