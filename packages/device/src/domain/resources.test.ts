import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { addResources, type Commitment, noResources, peakPromised } from "./resources.ts";

const anyCommitment: fc.Arbitrary<Commitment> = fc
  .tuple(fc.nat(20), fc.nat(20), fc.nat(9))
  .map(([startMs, length, cpuMillis]) => ({
    startMs,
    endMs: startMs + length,
    resources: { cpuMillis, memoryMb: cpuMillis * 2, storageMb: 0 },
  }));

it("the peak is the most that is promised at any moment of the span", () => {
  fc.assert(
    fc.property(
      fc.array(anyCommitment),
      fc.nat(20),
      fc.integer({ min: 1, max: 20 }),
      (all, ...of) => {
        const [startMs, length] = of;
        const span = { startMs, endMs: startMs + length };
        let most = noResources;
        for (let ms = span.startMs; ms < span.endMs; ms += 1) {
          const then = all
            .filter((it) => it.startMs <= ms && it.endMs > ms)
            .reduce((sum, it) => addResources(sum, it.resources), noResources);
          if (then.cpuMillis > most.cpuMillis) most = then;
        }
        assert.deepEqual(peakPromised(all, span), most);
      },
    ),
  );
});

it("a booking that begins when another ends does not meet it", () => {
  const resources = { cpuMillis: 1, memoryMb: 1, storageMb: 1 };
  const first = { startMs: 0, endMs: 10, resources };
  assert.deepEqual(peakPromised([first], { startMs: 10, endMs: 20 }), noResources);
  assert.deepEqual(peakPromised([first], { startMs: 9, endMs: 20 }), resources);
});
