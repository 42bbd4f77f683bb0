import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type NodeSight, type NodeWish, rankNodes } from "./choose-node.ts";
import { noResources } from "./resources.ts";

const node = (id: string, change: Partial<NodeSight> = {}): NodeSight => ({
  id,
  labels: {},
  capacity: { cpuMillis: 4000, memoryMb: 4000, storageMb: 0 },
  promised: noResources,
  devices: 0,
  devicesOfAccount: 0,
  measurable: { cpu: true, memory: true, network: true },
  ...change,
});
const wish = (change: Partial<NodeWish> = {}): NodeWish => ({
  resources: { cpuMillis: 1000, memoryMb: 1000, storageMb: 0 },
  nodeLabels: {},
  modes: { cpu: "RESERVED", memory: "RESERVED" },
  strategy: "BIN_PACK",
  ...change,
});
const promised = (cpuMillis: number) => ({ cpuMillis, memoryMb: 0, storageMb: 0 });
const half = node("half", { promised: promised(2000), devices: 2 });
const empty = node("empty");
const full = node("full", { promised: promised(3500), devices: 3, devicesOfAccount: 3 });
const mine = node("mine", { promised: promised(1000), devices: 1, devicesOfAccount: 1 });
const blind = node("blind", { measurable: { cpu: false, memory: false, network: false } });
const west = node("west", { labels: { zone: "west" } });

describe("a device goes", () => {
  // biome-ignore format: a table is read by column
  const cases: [name: string, nodes: NodeSight[], wish: Partial<NodeWish>, want: string[]][] = [
    ["nowhere without nodes",                    [],                        {},                                     []],
    ["not where there is no room",               [full],                    {},                                     []],
    ["not where memory is short",                [empty],                   { resources: { cpuMillis: 1, memoryMb: 4001, storageMb: 0 } }, []],
    ["where the last of the room is just enough", [half],                   { resources: { cpuMillis: 2000, memoryMb: 4000, storageMb: 0 } }, ["half"]],
    ["not where there is no storage",            [empty],                   { resources: { cpuMillis: 1, memoryMb: 1, storageMb: 1 } }, []],
    ["only where the labels are",                [empty, west],             { nodeLabels: { zone: "west" } },       ["west"]],
    ["packed, to the fullest first",             [empty, half, mine],       {},                                     ["half", "mine", "empty"]],
    ["spread, to whom has none of the account",  [mine, half, empty],       { strategy: "SPREAD" },                 ["empty", "half", "mine"]],
    ["to the least loaded",                      [half, mine, empty],       { strategy: "LEAST_LOADED" },           ["empty", "mine", "half"]],
    ["to its own kind",                          [empty, half, mine],       { strategy: "AFFINITY" },               ["mine", "half", "empty"]],
    ["by id among equals",                       [node("b"), node("a")],    {},                                     ["a", "b"]],
    ["not by use where use cannot be measured",  [blind, empty],            { modes: { cpu: "USED", memory: "RESERVED" } }, ["empty"]],
    ["anywhere when it pays what it reserves",   [blind],                   {},                                     ["blind"]],
  ];
  for (const [name, nodes, change, want] of cases) {
    it(name, () =>
      assert.deepEqual(
        rankNodes(nodes, wish(change), () => 0),
        want,
      ),
    );
  }

  it("to the better of two that chance picks, then to the others", () => {
    const nodes = [empty, half, mine, west];
    const drawn = [2, 0];
    // Least loaded first they are empty, west, mine, half: chance draws mine and half.
    const ranked = rankNodes(nodes, wish({ strategy: "BEST_OF_TWO" }), () => drawn.shift() ?? 0);
    assert.deepEqual(ranked, ["mine", "half", "empty", "west"]);
  });
});
