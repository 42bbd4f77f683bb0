import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createFanOut } from "./fan-out.ts";

const signal = new AbortController().signal;

describe("a fan-out", () => {
  it("tells every watcher everything since it began to watch", async () => {
    const fanOut = createFanOut<number>(10);
    fanOut.publish(1);
    using first = fanOut.subscribe();
    fanOut.publish(2);
    using second = fanOut.subscribe();
    fanOut.publish(3);
    await Promise.all([first.arrived(signal), second.arrived(signal)]);
    assert.deepEqual(first.take(), { events: [2, 3], isOverflown: false });
    assert.deepEqual(second.take(), { events: [3], isOverflown: false });
    assert.deepEqual(first.take(), { events: [], isOverflown: false });
  });

  it("drops what a slow watcher has queued, tells it once, and never holds up another", () => {
    const fanOut = createFanOut<number>(2);
    using slow = fanOut.subscribe();
    using quick = fanOut.subscribe();
    for (const event of [1, 2, 3, 4]) {
      fanOut.publish(event);
      assert.deepEqual(quick.take().events, [event]);
    }
    assert.deepEqual(slow.take(), { events: [], isOverflown: true });
    fanOut.publish(5);
    assert.deepEqual(slow.take(), { events: [5], isOverflown: false });
  });

  it("wakes a waiting watcher by an event and by the end of its call", async () => {
    const fanOut = createFanOut<number>(2);
    using watcher = fanOut.subscribe();
    const arrived = watcher.arrived(signal);
    fanOut.publish(1);
    await arrived;
    watcher.take();
    const ending = new AbortController();
    const ended = watcher.arrived(ending.signal);
    ending.abort();
    await ended;
  });

  it("forgets a watcher that has gone", () => {
    const fanOut = createFanOut<number>(2);
    {
      using _ = fanOut.subscribe();
      assert.equal(fanOut.watchersCount(), 1);
    }
    assert.equal(fanOut.watchersCount(), 0);
  });
});
