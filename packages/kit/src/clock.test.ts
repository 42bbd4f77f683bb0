import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeClock } from "../testing/clock.ts";
import { systemClock } from "./clock.ts";

test("the fake clock wakes sleepers in order of their time, and what they start", async () => {
  const clock = fakeClock();
  const seen: string[] = [];
  const loop = async (name: string, everyMs: number) => {
    for (let i = 0; i < 3; i += 1) {
      await clock.sleep(everyMs);
      seen.push(`${name}@${clock.monotonicMs()}`);
    }
  };
  void loop("slow", 30);
  void loop("fast", 20);
  await clock.advance(60);
  assert.deepEqual(seen, ["fast@20", "slow@30", "fast@40", "slow@60", "fast@60"]);
  assert.equal(clock.sleeping(), 1);
});

test("a jump of the wall clock leaves monotonic time alone", () => {
  const clock = fakeClock(1000);
  clock.jumpWall(-500);
  assert.deepEqual([clock.nowMs(), clock.monotonicMs()], [500, 0]);
});

test("both clocks stop sleeping when the signal aborts, with its reason", async () => {
  const reason = new Error("stop");
  for (const clock of [systemClock, fakeClock()]) {
    const controller = new AbortController();
    const sleeping = clock.sleep(60_000, controller.signal);
    controller.abort(reason);
    await assert.rejects(sleeping, (error) => error === reason);
    await assert.rejects(clock.sleep(1, controller.signal), (error) => error === reason);
  }
  await systemClock.sleep(1);
});
