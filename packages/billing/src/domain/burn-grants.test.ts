import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  afterBurns,
  burnGrants,
  burnUnfunded,
  expiredParts,
  inBurnOrder,
  type OpenGrant,
} from "./burn-grants.ts";

const grant = (id: string, remaining: bigint, more: Partial<OpenGrant> = {}): OpenGrant => ({
  accountId: "a",
  id,
  priority: 0,
  remaining,
  expired: 0n,
  expireTimeMs: undefined,
  ...more,
});

const arbitrary = fc
  .array(
    fc.record({
      priority: fc.integer({ min: -2, max: 2 }),
      remaining: fc.bigInt({ min: 1n, max: 50n }),
      expireTimeMs: fc.option(fc.integer({ min: 0, max: 20 }), { nil: undefined }),
    }),
    { maxLength: 8 },
  )
  .map((grants) => grants.map((one, index) => grant(String(index), one.remaining, one)));

const sum = (amounts: readonly bigint[]) => amounts.reduce((total, amount) => total + amount, 0n);

test("uses the highest priority first, then the soonest expiry, then the oldest", () => {
  const grants = [
    grant("4", 1n),
    grant("1", 1n),
    grant("3", 1n, { expireTimeMs: 9 }),
    grant("2", 1n, { expireTimeMs: 5 }),
    grant("9", 1n, { priority: 1 }),
    grant("0", 1n, { priority: -1, expireTimeMs: 1 }),
  ];
  assert.deepEqual(
    inBurnOrder(grants).map((one) => one.id),
    ["9", "2", "3", "1", "4", "0"],
  );
});

test("burns what there is and no more, in any split of the amount", () => {
  fc.assert(
    fc.property(
      arbitrary,
      fc.array(fc.bigInt({ min: 0n, max: 60n }), { maxLength: 6 }),
      (grants, amounts) => {
        let inParts: readonly OpenGrant[] = grants;
        for (const amount of amounts) inParts = afterBurns(inParts, burnGrants(inParts, amount));
        const atOnce = afterBurns(grants, burnGrants(grants, sum(amounts)));
        assert.deepEqual(inParts, atOnce);
        const before = sum(grants.map((one) => one.remaining));
        const left = before > sum(amounts) ? before - sum(amounts) : 0n;
        assert.equal(sum(atOnce.map((one) => one.remaining)), left);
      },
    ),
  );
});

test("expires only what is due, and what open leases cannot need any more", () => {
  const due = grant("1", 10n, { expireTimeMs: 5 });
  // biome-ignore format: a table is read by column
  const cases: [name: string, grants: OpenGrant[], available: bigint, held: bigint, want: [string, bigint][]][] = [
    ["all of it, when nothing is held",      [due],                                  30n, 0n,  [["1", 10n]]],
    ["what a lease leaves of it",            [due],                                  30n, 4n,  [["1", 6n]]],
    ["nothing while a lease may need it",    [due],                                  30n, 10n, []],
    ["all of it, when others burn first",    [due, grant("2", 9n, { priority: 1 })], 30n, 9n,  [["1", 10n]]],
    ["nothing that is not due",              [grant("1", 10n, { expireTimeMs: 6 })], 30n, 0n,  []],
    ["nothing that never is",                [grant("1", 10n)],                      30n, 0n,  []],
    ["no more than is available",            [due],                                  3n,  0n,  [["1", 3n]]],
  ];
  for (const [name, grants, available, held, want] of cases) {
    const parts = expiredParts(grants, { available, held }, 5);
    assert.deepEqual(
      parts.map((part) => [part.grant.id, part.amount]),
      want,
      name,
    );
  }
});

test("burns grants down to the funds behind them, and none that are funded", () => {
  fc.assert(
    fc.property(arbitrary, fc.bigInt({ min: -50n, max: 500n }), (grants, funds) => {
      const promised = sum(grants.map((one) => one.remaining));
      const backed = funds < 0n ? 0n : funds;
      const left = sum(afterBurns(grants, burnUnfunded(grants, funds)).map((one) => one.remaining));
      assert.equal(left, promised < backed ? promised : backed);
    }),
    { verbose: true },
  );
});
