import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { AppError } from "@farebox/kit/app-error";
import { newUuid } from "@farebox/kit/ids";
import { maxNanos, minNanos, type Nanos } from "@farebox/kit/money";
import { fakeClock } from "@farebox/kit/testing/clock";
import type { TestDatabase } from "@farebox/kit/testing/mysql";
import fc from "fast-check";
import type { PlacedOrder } from "../src/domain/recharge-order.ts";
import type { ReversalKind, ReversalState } from "../src/domain/recharge-reversal.ts";
import { runReconciliation } from "../src/operations/run-reconciliation.ts";
import { openBillingDatabase } from "./open-billing-database.ts";
import { assertConserved } from "./support/assert-conserved.ts";
import { newCharge } from "./support/money-room.ts";
import { openRechargeRoom, type RechargeRoom } from "./support/recharge-room.ts";

let database: TestDatabase;
let room: RechargeRoom;
before(async () => {
  database = await openBillingDatabase();
  room = openRechargeRoom(database.pool);
});
after(() => database[Symbol.asyncDispose]());

/** What the provider knows of one refund or dispute. */
type Reversal = {
  id: string;
  kind: ReversalKind;
  state: ReversalState;
  asked: Nanos;
  taken: Nanos;
};

type Order = { placed: PlacedOrder; isPaid: boolean; reversals: Reversal[] };

/** An account as an accountant would keep it, without any of billing's columns. */
type Books = {
  readonly accountId: string;
  readonly orders: Order[];
  readonly leases: string[];
  given: Nanos;
  spent: Nanos;
};

const amount = fc.bigInt({ min: 1n, max: 120n });
const pick = fc.nat({ max: 40 });
const step = fc.oneof(
  fc.record({ kind: fc.constant("order" as const), amount }),
  fc.record({ kind: fc.constant("pay" as const), of: pick }),
  fc.record({ kind: fc.constant("give" as const), amount }),
  fc.record({ kind: fc.constant("spend" as const), amount }),
  fc.record({ kind: fc.constant("lease" as const), amount }),
  fc.record({ kind: fc.constant("settle" as const), amount, of: pick }),
  fc.record({ kind: fc.constant("reserve" as const), amount, of: pick }),
  fc.record({ kind: fc.constant("refund" as const), amount, of: pick }),
  fc.record({ kind: fc.constant("dispute" as const), amount, of: pick }),
  fc.record({ kind: fc.constant("post" as const), of: pick }),
  fc.record({ kind: fc.constant("reinstate" as const), of: pick }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

test("whatever is paid, spent, refunded and disputed: net money is net credit, and every law holds", async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  console.log(`seed ${seed}`);
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 8, maxLength: 40 }), async (steps) => {
      const books = await openBooks();
      // Every account has some money to begin with, or most steps would find nothing to do.
      for (const first of [
        { kind: "order", amount: 100n },
        { kind: "pay", of: 0 },
      ] as const) {
        await apply(books, first);
      }
      for (const each of steps) {
        await apply(books, each);
        await assertCovered(books.accountId);
      }
      await assertNet(books);
      const { accountId } = books;
      const signal = new AbortController().signal;
      const deps = { pool: database.pool, clock: fakeClock(Date.now()), retentionDays: 90 };
      const { drifts } = await runReconciliation(deps, { accountId, signal });
      assert.deepEqual(drifts, []);
    }),
    { numRuns: 60, seed },
  );
  await assertConserved(database.pool);
});

async function openBooks(): Promise<Books> {
  const accountId = await room.money.account();
  return { accountId, orders: [], leases: [], given: 0n, spent: 0n };
}

/** Given credit never counts on money that refunds hold, not even for a moment. */
async function assertCovered(accountId: string): Promise<void> {
  const found = await room.money.count(
    `balance AS b WHERE b.account_id = '${accountId}' AND b.available + b.held
      - (SELECT COALESCE(SUM(reserved), 0) FROM recharge_order WHERE account_id = b.account_id)
      < (SELECT COALESCE(SUM(remaining), 0) FROM credit_grant WHERE account_id = b.account_id)`,
  );
  assert.equal(found, 0, "grants count on money that refunds hold");
}

/** What the world has paid in and not taken back is what the account was credited for money. */
async function assertNet(books: Books): Promise<void> {
  const reversals = books.orders.flatMap(({ reversals: ofOrder }) => ofOrder);
  const sum = (of: readonly Reversal[]) => of.reduce((total, { taken }) => total + taken, 0n);
  const paid = books.orders.reduce((n, it) => n + (it.isPaid ? it.placed.amount : 0n), 0n);
  const net = paid - sum(reversals.filter(({ state }) => state === "REVERSED"));
  const balance = await room.money.balance(books.accountId);
  const term = (name: string) => BigInt(balance?.[name] ?? 0);
  const funds = term("available") + term("held") - term("receivable");
  assert.deepEqual(
    { credited: term("credited"), spent: term("spent"), funds },
    { credited: net + books.given, spent: books.spent, funds: net + books.given - books.spent },
  );
  for (const { placed, reversals: ofOrder } of books.orders) {
    const gone = ofOrder.filter(({ state }) => state === "REVERSED" || state === "RESERVED");
    assert.ok(sum(gone) <= placed.amount, "never more leaves an order than came");
  }
}

async function apply(books: Books, each: Step): Promise<void> {
  const { accountId } = books;
  const order = "of" in each ? books.orders[each.of % Math.max(1, books.orders.length)] : undefined;
  switch (each.kind) {
    case "order":
      books.orders.push({
        placed: await room.order(accountId, each.amount),
        isPaid: false,
        reversals: [],
      });
      return;
    case "pay":
      if (order === undefined) return;
      await Promise.all([room.confirm(order.placed), room.confirm(order.placed)]);
      order.isPaid = true;
      return;
    case "give":
      await room.money.credit(accountId, each.amount);
      books.given += each.amount;
      return;
    case "spend":
      await room.money.deduct(accountId, [newCharge(newUuid().toString("hex"), each.amount)]);
      books.spent += each.amount;
      return;
    case "lease":
      return openLease(books, each.amount);
    case "settle":
      return settleLease(books, each);
    case "reserve":
    case "refund":
    case "dispute":
      if (order !== undefined) await take(order, each);
      return;
    case "post":
    case "reinstate":
      if (order !== undefined) await goOn(order, each);
      return;
  }
}

async function openLease(books: Books, estimated: Nanos): Promise<void> {
  const answer = await room.money.ask(books.accountId, { estimated });
  if (answer.kind === "grant") books.leases.push(answer.lease.id);
}

async function settleLease(books: Books, each: { amount: Nanos; of: number }): Promise<void> {
  const [leaseId] = books.leases.splice(each.of % Math.max(1, books.leases.length), 1);
  if (leaseId === undefined) return;
  const charge = newCharge(newUuid().toString("hex"), each.amount);
  await room.money.deduct(books.accountId, [charge], { leaseId, close: true });
  books.spent += each.amount;
}

/** Begins a refund or dispute, twice at once. */
async function take(
  order: Order,
  { kind, amount: asked }: { kind: "reserve" | "refund" | "dispute"; amount: Nanos },
): Promise<void> {
  const id = newUuid().toString("hex");
  const gone = order.reversals.filter(({ state }) => state === "REVERSED" || state === "RESERVED");
  const left = gone.reduce(
    (rest, { taken }) => rest - taken,
    order.isPaid ? order.placed.amount : 0n,
  );
  if (kind === "reserve") {
    const outcome = await twice(() => room.reserve(order.placed.id, id, asked));
    if (outcome instanceof AppError) {
      assert.equal(outcome.reason, "REFUND_EXCEEDS_UNSPENT");
      return;
    }
    assert.ok(asked <= left, "a refund is never more than its order has left");
    order.reversals.push({ id, kind: "REFUND", state: "RESERVED", asked, taken: asked });
    return;
  }
  const reversal = kind === "refund" ? "REFUND" : "DISPUTE";
  const outcome = await twice(() => room.reverse(order.placed.id, id, reversal, asked));
  if (outcome instanceof AppError) {
    assert.deepEqual([outcome.reason, order.isPaid], ["ORDER_WRONG_STATE", false]);
    return;
  }
  const taken = minNanos(asked, maxNanos(0n, left));
  assert.equal(outcome.reversal.amount, taken);
  order.reversals.push({ id, kind: reversal, state: "REVERSED", asked, taken });
}

/** Ends a refund or dispute, or pays a reserved one out; repeats whatever was done already. */
async function goOn(
  order: Order,
  { kind, of }: { kind: "post" | "reinstate"; of: number },
): Promise<void> {
  const known = order.reversals[of % Math.max(1, order.reversals.length)];
  if (known === undefined) return;
  if (kind === "reinstate") {
    await twice(() => room.reinstate(order.placed.id, known.id));
    if (known.state === "RESERVED") known.state = "RELEASED";
    if (known.state === "REVERSED") known.state = "REINSTATED";
    return;
  }
  const outcome = await twice(() =>
    room.reverse(order.placed.id, known.id, known.kind, known.asked),
  );
  assert.equal(outcome instanceof AppError, known.state === "RELEASED");
  if (known.state === "RESERVED") known.state = "REVERSED";
}

/** Makes the same call twice at once: the answers agree. */
async function twice<T>(call: () => Promise<T>): Promise<T | AppError> {
  const answer = () => call().catch((error: unknown) => asRefusal(error));
  const [first, second] = await Promise.all([answer(), answer()]);
  if (!(first instanceof AppError)) assert.deepEqual(second, first);
  else assert.equal(second instanceof AppError && second.reason, first.reason);
  return first;
}

function asRefusal(error: unknown): AppError {
  if (error instanceof AppError) return error;
  throw error;
}
