import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { allocationStates, type EndReason, endOf, mayBecome } from "./allocation.ts";
import { containerName, leaseEndOf } from "./container-name.ts";
import { nodeState } from "./device-node.ts";
import { isImageAllowed } from "./image-policy.ts";

it("an allocation moves forward only, and never out of its end", () => {
  const moves = allocationStates.flatMap((from) =>
    allocationStates.filter((to) => mayBecome(from, to)).map((to) => `${from} ${to}`),
  );
  assert.deepEqual(moves, [
    ...["QUEUED PLACED", "QUEUED CANCELLED", "BOOKED PLACED", "BOOKED CANCELLED"],
    ...["PLACED RUNNING", "PLACED CANCELLED", "RUNNING RELEASING", "RELEASING RELEASED"],
  ]);
});

describe("the end", () => {
  const ran = { startMs: 100, leaseEndMs: 1_000, seenMs: 400 };
  // biome-ignore format: a table is read by column
  const cases: [name: string, reason: EndReason, nowMs: number, want: number][] = [
    ["of one that is released is now",                 "RELEASED",         500,   500],
    ["is never after the term",                        "RELEASED",       5_000, 1_000],
    ["of a term that was tended late is its own",      "TERM_ENDED",     1_700, 1_000],
    ["of a lost node is when it was last seen",        "NODE_LOST",        900,   400],
    ["of a crash is when it was last seen",            "CONTAINER_EXITED", 900,   400],
    ["is never before the start",                      "RELEASED",          50,   100],
  ];
  for (const [name, reason, nowMs, want] of cases) {
    it(name, () => assert.equal(endOf(ran, reason, nowMs), want));
  }
});

it("a container's name tells when its term ends, to the second, never too early", () => {
  const id = "0123456789abcdef0123456789abcdef";
  assert.equal(leaseEndOf(containerName(id, 1_700_000_000_001)), 1_700_000_001_000);
  for (const other of ["farebox-probe-0011", "web", `farebox-${id}`, `x-${id}-5`]) {
    assert.equal(leaseEndOf(other), undefined);
  }
});

describe("an image", () => {
  // biome-ignore format: a table is read by column
  const cases: [patterns: string[], image: string, want: boolean][] = [
    [[],                    "a",                false],
    [["a"],                 "a",                true],
    [["a"],                 "ab",               false],
    [["a/*"],               "a/b:1",            true],
    [["a/*"],               "evil/a/b",         false],
    [["*:1"],               "a/b:1",            true],
    [["*:1"],               "a/b:12",           false],
    [["x", "a*b*c"],        "a-b-b-c",          true],
    [["aa*aa"],             "aaa",              false],
    [["*"],                 "anything@sha256:0", true],
    [["a.b"],               "axb",              false],
  ];
  for (const [patterns, image, want] of cases) {
    it(`${image} is ${want ? "" : "not "}allowed by ${patterns.join(" or ") || "nothing"}`, () =>
      assert.equal(isImageAllowed(patterns, image), want));
  }
});

it("a node is lost while its engine is silent, drained or not", () => {
  assert.equal(nodeState({ isDraining: false, heartbeatMs: undefined }, 5, 10), "LOST");
  assert.equal(nodeState({ isDraining: true, heartbeatMs: 5 }, 16, 10), "LOST");
  assert.equal(nodeState({ isDraining: true, heartbeatMs: 5 }, 15, 10), "DRAINING");
  assert.equal(nodeState({ isDraining: false, heartbeatMs: 5 }, 15, 10), "ACTIVE");
});
