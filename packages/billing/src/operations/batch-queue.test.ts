import assert from "node:assert/strict";
import { describe, it, mock } from "node:test";
import { createBatchQueue } from "./batch-queue.ts";

/** A queue that notes how large its batches are. */
function noting() {
  const sizes: number[] = [];
  const queue = createBatchQueue<number, number>({
    run: async (items) => {
      sizes.push(items.length);
      return items;
    },
    ...{ batchMax: 1000, runningMax: 1, waitingMax: 10_000 },
    parts: { fromItems: 400, waitMs: 100 },
  });
  return { sizes, queue };
}

const items = (count: number) => Array.from({ length: count }, (_, at) => at);
/** Lets everything run that waits for no timer. */
const turn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

describe("what comes in parts", () => {
  it("is one batch", async () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    try {
      const { sizes, queue } = noting();
      const first = queue.submit(items(400));
      await turn();
      const second = queue.submit(items(300));
      await turn();
      assert.deepEqual(sizes, []);
      mock.timers.tick(100);
      assert.deepEqual(
        (await Promise.all([first, second])).map(({ length }) => length),
        [400, 300],
      );
      assert.deepEqual(sizes, [700]);
    } finally {
      mock.timers.reset();
    }
  });

  it("is not waited for when a batch is full, or little came", async () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    try {
      const { sizes, queue } = noting();
      await queue.submit(items(399));
      await queue.submit(items(1000));
      assert.deepEqual(sizes, [399, 1000]);
    } finally {
      mock.timers.reset();
    }
  });
});
