import assert from "node:assert/strict";
import test from "node:test";
import { isBehind } from "./close-plan.ts";
import type { Lease } from "./lease.ts";

const lease = { state: "OPEN", granted: 100n, settled: 0n, deadLettered: 0n, released: 0n };

// biome-ignore format: a decision table is read by column
const cases: [name: string, of: Partial<Lease>, finalTotal: bigint | undefined, isBehind: boolean][] = [
  ["waits for what the holder counted",             { settled: 19n },                                    20n,       true],
  ["is complete when it is settled",                { settled: 20n },                                    20n,       false],
  ["counts what was put aside",                     { settled: 12n, deadLettered: 8n },                  20n,       false],
  ["counts what was put aside and then voided",     { settled: 12n, released: 8n },                      20n,       false],
  ["expects no more than was granted",              { settled: 100n },                                   250n,      false],
  ["asks nothing of a holder that does not say",    {},                                                  undefined, false],
  ["asks nothing of a lease that has ended",        { state: "CLOSED" },                                 20n,       false],
];

for (const [name, of, finalTotal, wanted] of cases) {
  test(`a lease ${name}`, () => {
    assert.equal(isBehind({ ...lease, ...of } as Lease, finalTotal), wanted);
  });
}
