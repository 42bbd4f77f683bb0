import assert from "node:assert/strict";
import test from "node:test";
import { createLogger } from "@farebox/kit/logger";
import { fakeClock } from "@farebox/kit/testing/clock";
import { followWatch } from "./watch-loop.ts";

const log = createLogger({ name: "test", level: "silent" });

test("a watch that fails, ends or falls silent is opened again, and one that is stopped is not", async () => {
  const clock = fakeClock();
  const stopping = new AbortController();
  const taken: number[] = [];
  let opens = 0;
  const open = () => {
    const n = ++opens;
    const cancelled = Promise.withResolvers<void>();
    return {
      cancel: () => cancelled.resolve(),
      async *[Symbol.asyncIterator]() {
        yield n;
        if (n === 1) throw new Error("lost");
        if (n === 2) return;
        await cancelled.promise;
      },
    };
  };
  const take = (message: number) => taken.push(message);
  const following = followWatch(
    { clock, log, signal: stopping.signal },
    { name: "test", open, take, silentMsMax: 20 },
  );
  while (taken.length < 4) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    await clock.advance(1000);
  }
  stopping.abort();
  await following;
  assert.deepEqual(taken.slice(0, 4), [1, 2, 3, 4]);
  assert.equal(opens, taken.length);
});
