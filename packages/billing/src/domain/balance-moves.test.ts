import assert from "node:assert/strict";
import { test } from "node:test";
import { minNanos, nanosMax } from "@farebox/kit/money";
import fc from "fast-check";
import { emptyBalance } from "./account.ts";
import {
  expire,
  fundsOf,
  grant,
  hasRoomFor,
  hold,
  isInDebtAtLimit,
  release,
  settle,
  spendableOf,
  takeBack,
  type Wallet,
} from "./balance-moves.ts";

const empty: Wallet = { ...emptyBalance, overdraftLimit: 0n, openLeases: 0, openGrants: 0 };
const wallet = (terms: Partial<Wallet>): Wallet => ({ ...empty, ...terms });

type Move = readonly [
  kind: "hold" | "release" | "settle" | "grant" | "expire" | "takeBack",
  share: number,
  extra: bigint,
];

const move: fc.Arbitrary<Move> = fc.tuple(
  fc.constantFrom("hold", "release", "settle", "grant", "expire", "takeBack"),
  fc.integer({ min: 0, max: 100 }),
  fc.bigInt({ min: 0n, max: 1000n }),
);

/** Makes a move that its caller may make: shares are of what there is. */
function moved(at: Wallet, [kind, share, extra]: Move) {
  const part = (of: bigint) => (of * BigInt(share)) / 100n;
  switch (kind) {
    case "hold":
      return hold(at, part(spendableOf(at)));
    case "release":
      return release(at, part(at.held));
    case "settle":
      return settle(at, part(at.held), extra);
    case "grant":
      return grant(at, extra);
    case "expire":
      return expire(at, part(at.available));
    case "takeBack": {
      const fromHeld = minNanos(part(at.held), at.credited);
      return takeBack(at, fromHeld, minNanos(extra, at.credited - fromHeld));
    }
  }
}

function assertLaws(at: Wallet): void {
  assert.equal(at.available + at.held + at.spent, at.credited + at.receivable);
  for (const term of [at.available, at.held, at.spent, at.credited, at.receivable])
    assert(term >= 0n);
  assert(at.available === 0n || at.receivable === 0n);
}

test("every sequence of moves keeps the laws, and the ledger sums to the funds", () => {
  fc.assert(
    fc.property(
      fc.array(move, { maxLength: 60 }),
      fc.bigInt({ min: 0n, max: 500n }),
      (moves, overdraftLimit) => {
        let at = wallet({ overdraftLimit });
        let ledger = 0n;
        for (const one of moves) {
          const next = moved(at, one);
          ledger += next.ledgerAmount;
          at = next.wallet;
          assertLaws(at);
          assert.equal(ledger, fundsOf(at));
        }
      },
    ),
    { numRuns: 500 },
  );
});

test("settling in parts comes to what settling at once comes to", () => {
  const parts = fc.array(fc.bigInt({ min: 0n, max: 300n }), { maxLength: 10 });
  fc.assert(
    fc.property(parts, fc.bigInt({ min: 0n, max: 1000n }), (excesses, available) => {
      const at = wallet({ available, credited: available });
      const total = excesses.reduce((sum, excess) => sum + excess, 0n);
      const inParts = excesses.reduce((now, excess) => settle(now, 0n, excess).wallet, at);
      assert.deepEqual(inParts, settle(at, 0n, total).wallet);
    }),
  );
});

test("lets an account owe up to its limit, and no more than its columns can hold", () => {
  // biome-ignore format: a table is read by column
  const cases: [name: string, at: Wallet, spendable: bigint, isInDebt: boolean][] = [
    ["nothing at all",        empty,                                                        0n,  false],
    ["money",                 wallet({ available: 5n, credited: 5n }),                      5n,  false],
    ["money and a limit",     wallet({ available: 5n, credited: 5n, overdraftLimit: 7n }),  12n, false],
    ["a part of the limit",   wallet({ held: 3n, receivable: 3n, overdraftLimit: 7n }),     4n,  false],
    ["all of the limit",      wallet({ held: 7n, receivable: 7n, overdraftLimit: 7n }),     0n,  true],
    ["more than the limit",   wallet({ held: 9n, receivable: 9n, overdraftLimit: 7n }),     0n,  true],
    ["debt without a limit",  wallet({ spent: 1n, receivable: 1n }),                        0n,  true],
    ["all the room there is", wallet({ available: nanosMax, credited: nanosMax, overdraftLimit: 7n }), nanosMax, false],
  ];
  for (const [name, at, spendable, isInDebt] of cases) {
    assert.deepEqual([spendableOf(at), isInDebtAtLimit(at)], [spendable, isInDebt], name);
  }
  assert(hasRoomFor(wallet({ credited: nanosMax - 2n, receivable: 1n }), 1n));
  assert(!hasRoomFor(wallet({ credited: nanosMax - 2n, receivable: 1n }), 2n));
});
