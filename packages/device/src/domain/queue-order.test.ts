import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { holdsUpOthers, queueOrder, type Waiting } from "./queue-order.ts";

const minuteMs = 60_000;
const nowMs = 100 * minuteMs;
const waiting = (id: string, priority: number, minutes: number): Waiting => ({
  ...{ id, priority },
  sinceMs: nowMs - minutes * minuteMs,
});

describe("of those who wait", () => {
  // biome-ignore format: a table is read by column
  const cases: [name: string, waiting: Waiting[], want: string[]][] = [
    ["who came first goes first",                 [waiting("b", 0, 1), waiting("a", 0, 2)],   ["a", "b"]],
    ["a higher priority goes first",              [waiting("a", 0, 3), waiting("b", 9, 1)],   ["b", "a"]],
    ["a minute of waiting counts as one",         [waiting("a", 2, 0), waiting("b", 0, 3)],   ["b", "a"]],
    ["of two that rank alike, who waits longer",  [waiting("a", 2, 0), waiting("b", 0, 2)],   ["b", "a"]],
    ["of two that came together, the lower id",   [waiting("b", 0, 1), waiting("a", 0, 1)],   ["a", "b"]],
  ];
  for (const [name, all, want] of cases) {
    it(name, () =>
      assert.deepEqual(
        queueOrder(all, nowMs).map(({ id }) => id),
        want,
      ),
    );
  }

  it("nobody is let past one who has waited ten minutes, for an hour", () => {
    assert.equal(holdsUpOthers(waiting("a", 0, 9.99), nowMs), false);
    assert.equal(holdsUpOthers(waiting("a", 0, 10), nowMs), true);
    assert.equal(holdsUpOthers(waiting("a", 0, 69.99), nowMs), true);
    assert.equal(holdsUpOthers(waiting("a", 0, 70), nowMs), false);
  });
});
