import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { deviceDimensions } from "@farebox/pricing/device-usage";
import fc from "fast-check";
import type { Counted } from "./epoch.ts";
import { owedUsage, type PriceMode, priceModes, qualityOf } from "./owed-usage.ts";

const resources = { cpuMillis: 500, memoryMb: 2, storageMb: 3 };
const counted = (change: Partial<Counted> = {}): Counted => ({
  cpuNanoseconds: 700_000_000n,
  memoryByteMilliseconds: 1_000_000n,
  sentBytes: 9n,
  sampleCount: 1,
  ...change,
});

describe("what is owed after a second", () => {
  // biome-ignore format: a table is read by column
  const cases: [cpu: PriceMode, memory: PriceMode, cpuNs: bigint, memoryByteMs: bigint][] = [
    ["RESERVED", "RESERVED", 500_000_000n, 2_097_152_000n],
    ["USED",     "USED",     700_000_000n,     1_000_000n],
    ["LARGER",   "LARGER",   700_000_000n, 2_097_152_000n],
  ];
  for (const [cpu, memory, cpuNanoseconds, memoryByteMilliseconds] of cases) {
    it(`by ${cpu} is that`, () => {
      assert.deepEqual(
        owedUsage({ resources, modes: { cpu, memory }, isTrafficSold: true }, counted(), 1_000),
        {
          ...{ cpuNanoseconds, memoryByteMilliseconds, networkBytes: 9n },
          ...{ storageByteMilliseconds: 3_145_728_000n, gpuNanoseconds: 0n },
        },
      );
    });
  }

  it("has no traffic of a node that does not measure it, which is UNKNOWN", () => {
    const modes = { cpu: "RESERVED", memory: "RESERVED" } as const;
    const terms = { resources, modes, isTrafficSold: false };
    assert.equal(owedUsage(terms, counted(), 1_000).networkBytes, 0n);
    assert.equal(qualityOf("networkBytes", terms, counted()), "UNKNOWN");
  });

  it("never falls as time or counters grow", () => {
    const mode = fc.constantFrom(...priceModes);
    const big = fc.bigInt({ min: 0n, max: 10n ** 20n });
    fc.assert(
      fc.property(
        mode,
        mode,
        fc.tuple(big, big, big),
        fc.tuple(big, big, big),
        fc.nat(),
        fc.nat(),
        (...of) => {
          const [cpu, memory, [a, b, c], [da, db, dc], ms, more] = of;
          const terms = { resources, modes: { cpu, memory }, isTrafficSold: true };
          const before = {
            cpuNanoseconds: a,
            memoryByteMilliseconds: b,
            sentBytes: c,
            sampleCount: 1,
          };
          const after = {
            ...{ cpuNanoseconds: a + da, memoryByteMilliseconds: b + db, sentBytes: c + dc },
            sampleCount: 2,
          };
          const then = owedUsage(terms, before, ms);
          const later = owedUsage(terms, after, ms + more);
          for (const it of deviceDimensions) assert.ok(later[it] >= then[it]);
        },
      ),
    );
  });
});

describe("the quality", () => {
  // biome-ignore format: a table is read by column
  const cases: [name: string, dimension: Parameters<typeof qualityOf>[0], mode: PriceMode, samples: number, want: string][] = [
    ["of what is reserved is RESERVED",            "cpuNanoseconds",         "RESERVED", 5, "RESERVED"],
    ["of what was measured is MEASURED",           "cpuNanoseconds",         "USED",     5, "MEASURED"],
    ["of what never was is UNKNOWN",               "cpuNanoseconds",         "USED",     0, "UNKNOWN"],
    ["of the larger of two, one unknown, is RESERVED", "memoryByteMilliseconds", "LARGER", 0, "RESERVED"],
    ["of traffic that was never measured is UNKNOWN", "networkBytes",        "RESERVED", 0, "UNKNOWN"],
    ["of storage is RESERVED",                     "storageByteMilliseconds", "USED",    0, "RESERVED"],
  ];
  for (const [name, dimension, mode, sampleCount, want] of cases) {
    it(name, () => {
      const modes = { cpu: mode, memory: mode };
      const seen = sampleCount === 0 ? { memoryByteMilliseconds: 0n } : {};
      const terms = { resources, modes, isTrafficSold: true };
      assert.equal(qualityOf(dimension, terms, counted({ sampleCount, ...seen })), want);
    });
  }
});
