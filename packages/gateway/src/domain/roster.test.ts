import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Roster } from "./roster.ts";

test("holds who came and has not gone, whatever the order", () => {
  const step = fc.oneof(fc.constant("come" as const), fc.nat());
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const roster = new Roster<string>();
      const here = new Map<string, number>();
      steps.forEach((it, index) => {
        const names = [...here.keys()];
        const leaving = it === "come" ? undefined : names[it % Math.max(1, names.length)];
        if (leaving === undefined) {
          here.set(`member ${index}`, roster.add(`member ${index}`));
        } else {
          roster.remove(here.get(leaving) ?? -1);
          here.delete(leaving);
        }
        assert.equal(roster.size, here.size);
        assert.deepEqual([...roster].sort(), [...here.keys()].sort());
      });
    }),
  );
});

test("uses places again", () => {
  const roster = new Roster<number>();
  const first = roster.add(1);
  roster.remove(first);
  assert.equal(roster.add(2), first);
  assert.deepEqual([...roster], [2]);
});
