import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { mapDeviceUsage, noDeviceUsage } from "@farebox/pricing/device-usage";
import fc from "fast-check";
import { type Epoch, foldSample, newEpoch, type Sample, sumEpochs } from "./epoch.ts";
import { owedUsage, unreported } from "./owed-usage.ts";

const gapMsMax = 6_000;
const sample = (change: Partial<Sample>): Sample => ({
  readMs: 1_000,
  cpuNanoseconds: 1n,
  memoryBytes: 100n,
  sentBytes: 0n,
  receivedBytes: 0n,
  readBytes: 0n,
  writtenBytes: 0n,
  ...change,
});
const fold = (samples: readonly Sample[]): Epoch =>
  samples.reduce((epoch, it) => foldSample(epoch, it, gapMsMax), newEpoch);

describe("memory over time", () => {
  // biome-ignore format: a table is read by column
  const cases: [name: string, samples: Partial<Sample>[], byteMs: bigint, unknownMs: number][] = [
    ["is nothing after one sample",          [{}],                                                                  0n, 0],
    ["counts the smaller of two samples",    [{}, { readMs: 3_000, memoryBytes: 40n }],                        80_000n, 0],
    ["counts the first of a growing gauge",  [{}, { readMs: 3_000, memoryBytes: 900n }],                      200_000n, 0],
    ["is known over a gap of three ticks",   [{}, { readMs: 7_000 }],                                          600_000n, 0],
    ["is not known over a longer one",       [{}, { readMs: 7_001 }],                                               0n, 6_001],
    ["is not known without a figure",        [{}, { readMs: 3_000, memoryBytes: undefined }],                       0n, 2_000],
    ["goes on after an unknown stretch",     [{}, { readMs: 9_000 }, { readMs: 10_000 }],                      100_000n, 8_000],
    ["does not count a repeated sample",     [{}, { readMs: 3_000 }, { readMs: 3_000 }, { readMs: 3_000 }],    200_000n, 0],
    ["does not count a late one",            [{}, { readMs: 3_000 }, { readMs: 2_000 }],                       200_000n, 0],
    ["gives away what a clock set back hides", [{}, { readMs: 3_000 }, { readMs: 500 }, { readMs: 2_500 }],    200_000n, 0],
  ];
  for (const [name, samples, byteMs, unknownMs] of cases) {
    it(name, () => {
      const epoch = fold(samples.map(sample));
      assert.deepEqual([epoch.memoryByteMilliseconds, epoch.unknownMs], [byteMs, unknownMs]);
    });
  }
});

it("counters keep the highest seen, whatever comes late", () => {
  const epoch = fold([
    sample({ cpuNanoseconds: 50n, sentBytes: 7n }),
    sample({ readMs: 900, cpuNanoseconds: 40n, sentBytes: 9n }),
    sample({ readMs: 2_000, cpuNanoseconds: 60n, sentBytes: undefined }),
  ]);
  assert.deepEqual([epoch.cpuNanoseconds, epoch.sentBytes], [60n, 9n]);
});

/** A container's life: runs, each some ticks long; in each tick it uses so much. */
const tickMs = 2_000;
const anyTick = fc.record({
  cpu: fc.bigInt({ min: 0n, max: 8_000_000_000n }),
  sent: fc.bigInt({ min: 0n, max: 1_000_000n }),
  memory: fc.bigInt({ min: 1n, max: 1n << 33n }),
});
const anyLife = fc.array(fc.array(anyTick, { minLength: 1, maxLength: 12 }), {
  minLength: 1,
  maxLength: 4,
});
/** What becomes of a sample on its way: lost, once, twice, and how far it falls behind. */
const anyFate = fc.record({ copies: fc.nat(3), delay: fc.nat(4) });

describe("what is billed of a container's life", () => {
  it("lies between the truth and the truth without its tails, however samples are lost, repeated, late, or taken twice", () => {
    fc.assert(
      fc.property(
        anyLife,
        fc.array(anyFate, { minLength: 60, maxLength: 60 }),
        fc.array(fc.nat(60), { maxLength: 6 }),
        (life, fates, cuts) => {
          const { sent, truth, seen } = live(life, fates);
          let epochs = new Map<string, Epoch>();
          let reported = noDeviceUsage;
          let windows = noDeviceUsage;
          const terms = {
            resources: { cpuMillis: 100, memoryMb: 1, storageMb: 1 },
            modes: { cpu: "USED", memory: "USED" },
            isTrafficSold: true,
          } as const;
          for (const [at, { run, sample: taken }] of sent.entries()) {
            epochs = new Map(epochs).set(
              run,
              foldSample(epochs.get(run) ?? newEpoch, taken, gapMsMax),
            );
            // A report now and then, and one at the end: each is what is owed less what was reported.
            if (!cuts.includes(at) && at < sent.length - 1) continue;
            const owed = owedUsage(terms, sumEpochs([...epochs.values()]), at * tickMs);
            const rest = unreported(owed, reported);
            windows = mapDeviceUsage((dimension) => windows[dimension] + rest[dimension]);
            reported = owed;
          }
          const billed = sumEpochs([...epochs.values()]);
          assert.equal(billed.cpuNanoseconds, seen.cpu, "all that was seen is billed");
          assert.equal(billed.sentBytes, seen.sent);
          assert.ok(billed.cpuNanoseconds <= truth.cpu && billed.sentBytes <= truth.sent);
          assert.deepEqual(windows, reported, "windows add up to the settlement");
        },
      ),
    );
  });

  it("loses at most the last tick of each run when every sample arrives, in any order", () => {
    fc.assert(
      fc.property(
        anyLife,
        fc.array(fc.nat(4), { minLength: 60, maxLength: 60 }),
        (life, delays) => {
          const { sent, truth, tails } = live(
            life,
            delays.map((delay) => ({ copies: 1, delay })),
          );
          const epochs = Map.groupBy(sent, ({ run }) => run);
          const billed = sumEpochs(
            [...epochs.values()].map((of) => fold(of.map((it) => it.sample))),
          );
          assert.equal(billed.cpuNanoseconds, truth.cpu - tails.cpu);
          assert.equal(billed.sentBytes, truth.sent - tails.sent);
        },
      ),
    );
  });
});

describe("what is billed of memory", () => {
  const once = { copies: 1, delay: 0 };

  it("is at most the truth when every sample arrives in order", () => {
    fc.assert(
      fc.property(anyLife, (life) => {
        const { sent, truth } = live(life, [once]);
        const runs = [...Map.groupBy(sent, ({ run }) => run).values()];
        const billed = sumEpochs(runs.map((of) => fold(of.map((it) => it.sample))));
        assert.ok(billed.memoryByteMilliseconds <= truth.memory);
      }),
    );
  });

  it("of a gauge that stands still is at most the truth whatever is lost or late, and all between known samples", () => {
    const anyFates = fc.array(anyFate, { minLength: 60, maxLength: 60 });
    fc.assert(
      fc.property(
        anyLife,
        anyFates,
        fc.bigInt({ min: 1n, max: 1n << 33n }),
        (life, fates, memory) => {
          const still = life.map((run) => run.map((tick) => ({ ...tick, memory })));
          const { sent, truth } = live(still, fates);
          for (const of of Map.groupBy(sent, ({ run }) => run).values()) {
            const {
              memoryByteMilliseconds,
              unknownMs,
              firstReadMs = 0,
              lastReadMs = 0,
            } = fold(of.map((it) => it.sample));
            const knownMs = lastReadMs - firstReadMs - unknownMs;
            assert.equal(memoryByteMilliseconds, memory * BigInt(knownMs));
            assert.ok(memoryByteMilliseconds <= truth.memory);
          }
        },
      ),
    );
  });
});

type Fate = { readonly copies: number; readonly delay: number };

/** The truth of a life, the samples that reach us in the order that they do, and what the best of them tell. */
function live(
  life: readonly (readonly { cpu: bigint; sent: bigint; memory: bigint }[])[],
  fates: readonly Fate[],
) {
  const truth = { cpu: 0n, sent: 0n, memory: 0n };
  const seen = { cpu: 0n, sent: 0n };
  const tails = { cpu: 0n, sent: 0n };
  const sent: { run: string; sample: Sample; at: number }[] = [];
  let nowMs = 0;
  let taken = 0;
  for (const [index, ticks] of life.entries()) {
    let cpu = 0n;
    let bytes = 0n;
    let best = { cpu: 0n, sent: 0n };
    for (const [at, tick] of ticks.entries()) {
      nowMs += tickMs;
      cpu += tick.cpu;
      bytes += tick.sent;
      truth.memory += tick.memory * BigInt(tickMs);
      // The run ends within its last tick, before it is sampled.
      if (at === ticks.length - 1) {
        tails.cpu += tick.cpu;
        tails.sent += tick.sent;
        break;
      }
      const { copies, delay } = fates[taken % fates.length] ?? { copies: 1, delay: 0 };
      taken += 1;
      // The gauge of a tick holds until its end, where it is sampled.
      const it = sample({
        ...{ readMs: nowMs, cpuNanoseconds: cpu, sentBytes: bytes },
        memoryBytes: tick.memory,
      });
      for (let copy = 0; copy < copies; copy += 1) {
        sent.push({ run: `run ${index}`, sample: it, at: taken + delay * (copy + 1) });
      }
      if (copies > 0) best = { cpu, sent: bytes };
    }
    truth.cpu += cpu;
    truth.sent += bytes;
    seen.cpu += best.cpu;
    seen.sent += best.sent;
  }
  return { truth, seen, tails, sent: sent.toSorted((a, b) => a.at - b.at) };
}
