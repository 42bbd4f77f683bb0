import assert from "node:assert/strict";
import test from "node:test";
import { create } from "@bufbuild/protobuf";
import { AppError } from "@farebox/kit/app-error";
import { createLogger } from "@farebox/kit/logger";
import { type FakeClock, fakeClock } from "@farebox/kit/testing/clock";
import {
  CheckQuotaResultSchema,
  Decision,
} from "@farebox/proto/farebox/billing/v1/billing_service";
import { ErrorReason } from "@farebox/proto/farebox/common/v1/error_reason";
import fc from "fast-check";
import { FakeBilling } from "../../../testing/fake-billing.ts";
import { GatewayEpoch } from "../settlement/gateway-epoch.ts";
import { AskBatcher, type TravellingAsk } from "./ask-batcher.ts";
import { GraceBook } from "./grace-book.ts";
import type { Reservation } from "./lease.ts";
import { LeaseBook } from "./lease-book.ts";

const log = createLogger({ name: "test", level: "silent" });

function openBook(
  batcher: { ask(ask: TravellingAsk): void },
  clock: FakeClock,
  epoch: GatewayEpoch,
) {
  return new LeaseBook({
    epoch,
    batcher,
    clock,
    log,
    quotaLock: "off",
    waitMsMax: 2000,
    grace: new GraceBook(0n),
  });
}

function currentEpoch(clock: FakeClock): GatewayEpoch {
  const epoch = new GatewayEpoch(clock);
  epoch.welcome(1n, 30_000, epoch.now());
  return epoch;
}

type Step =
  | { readonly kind: "call"; readonly worst: number; readonly minimum: number }
  | { readonly kind: "end"; readonly which: number; readonly share: number }
  | { readonly kind: "credit"; readonly nanos: number }
  | { readonly kind: "turn" }
  | { readonly kind: "advance"; readonly ms: number }
  | { readonly kind: "lose" };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("call"),
      worst: fc.nat({ max: 400 }),
      minimum: fc.nat({ max: 400 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("end"),
      which: fc.nat(),
      share: fc.nat({ max: 100 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("credit"), nanos: fc.nat({ max: 500 }) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("turn") }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("advance"), ms: fc.nat({ max: 400 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("lose") }) },
);

test("whatever happens in whatever order, no more is promised than Billing granted, and every call gets one answer", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat({ max: 3000 }),
      fc.array(step, { maxLength: 60 }),
      async (start, steps) => {
        const clock = fakeClock();
        const billing = new FakeBilling();
        billing.credit("acc", BigInt(start));
        const epoch = currentEpoch(clock);
        const gatewayId = `gtw_${"0".repeat(32)}`;
        const lock = { tryLockMany: () => Promise.resolve([]) };
        const batcher = new AskBatcher({ billing, lock, epoch, gatewayId, deadlineMs: 2000 });
        const book = openBook(batcher, clock, epoch);
        const pool = book.poolOf("acc", "llm");
        const running: Reservation[] = [];
        const order: number[] = [];
        let calls = 0;
        let answered = 0;

        const admit = (n: number, reservation: Reservation) => {
          answered++;
          order.push(n);
          running.push(reservation);
        };
        const check = () => {
          const lease = pool.lease;
          if (lease === undefined) return;
          const reserved = running.reduce(
            (sum, it) => sum + (it.lease === undefined ? 0n : it.nanos),
            0n,
          );
          assert.equal(lease.free, lease.granted - lease.counted - reserved);
          assert.ok(lease.free >= 0n, "promised more than granted");
          assert.ok(lease.granted <= (billing.leases.get(lease.name)?.granted ?? 0n));
        };
        const endOne = (which: number, share: number) => {
          const [reservation] = running.splice(which % running.length, 1);
          if (reservation === undefined) return;
          const nanos = (reservation.nanos * BigInt(share)) / 100n;
          book.end(pool, reservation, { nanos, units: 0, isCounted: true, outcomeEnd: 1 });
        };
        for (const it of steps) {
          switch (it.kind) {
            case "call": {
              const n = calls++;
              const worstCaseNanos = BigInt(it.worst);
              const minimumNanos = BigInt(Math.min(it.minimum, it.worst));
              const need = { worstCaseNanos, minimumNanos, worstCaseUnits: 1 };
              const now = book.tryReserve(pool, need);
              if (now !== undefined) admit(n, now);
              else {
                book.wait(pool, need).then(
                  (reservation) => {
                    assert.ok(reservation.nanos <= worstCaseNanos);
                    assert.ok(reservation.nanos >= minimumNanos, "clamped to something useful");
                    admit(n, reservation);
                  },
                  (error: unknown) => {
                    assert.ok(error instanceof AppError);
                    answered++;
                  },
                );
              }
              break;
            }
            case "end":
              if (running.length > 0) endOne(it.which, it.share);
              break;
            case "credit":
              billing.credit("acc", BigInt(it.nanos));
              break;
            case "turn":
              await turns();
              break;
            case "advance":
              await clock.advance(it.ms);
              book.expireWaiting();
              break;
            case "lose":
              billing.answersToLose++;
              break;
          }
          await microtasks();
          check();
        }
        billing.answersToLose = 0;
        for (let round = 0; answered < calls; round++) {
          assert.ok(round < 100, "a call is left without an answer");
          await turns();
          while (running.length > 0) endOne(0, 50);
          await clock.advance(500);
          book.expireWaiting();
          await microtasks();
          check();
        }
        assert.equal(answered, calls);
        assert.deepEqual(
          order,
          [...order].sort((a, b) => a - b),
          "in order of arrival",
        );
        book.stop(new AppError("SHUTTING_DOWN"));
      },
    ),
    { numRuns: 1000 },
  );
});

test("nobody is refused while what is free and what Billing has would do", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 40 }),
      fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 40 }),
      async (room, needs) => {
        const clock = fakeClock();
        const billing = new FakeBilling();
        const total = needs.slice(0, room).reduce((sum, need) => sum + need, 0);
        billing.credit("acc", BigInt(total));
        const epoch = currentEpoch(clock);
        const lock = { tryLockMany: () => Promise.resolve([]) };
        const gatewayId = `gtw_${"0".repeat(32)}`;
        const batcher = new AskBatcher({ billing, lock, epoch, gatewayId, deadlineMs: 2000 });
        const book = openBook(batcher, clock, epoch);
        const pool = book.poolOf("acc", "llm");
        const admitted: number[] = [];
        for (const [n, need] of needs.entries()) {
          const nanos = BigInt(need);
          const call = { worstCaseNanos: nanos, minimumNanos: nanos, worstCaseUnits: 1 };
          const now = book.tryReserve(pool, call);
          if (now !== undefined) admitted.push(n);
          else
            book
              .wait(pool, call)
              .then(() => admitted.push(n))
              .catch(() => undefined);
          if (n % 3 === 0) await turns();
        }
        await turns();
        const first = needs.slice(0, room).map((_, n) => n);
        assert.deepEqual(admitted.slice(0, first.length), first);
        book.stop(new AppError("SHUTTING_DOWN"));
      },
    ),
    { numRuns: 100 },
  );
});

test("more calls than the bound are told to come back, and those in line keep their place", async () => {
  const clock = fakeClock();
  const book = openBook({ ask: () => undefined }, clock, currentEpoch(clock));
  const pool = book.poolOf("acc", "llm");
  const need = { worstCaseNanos: 1n, minimumNanos: 1n, worstCaseUnits: 1 };
  const waiting = Array.from({ length: 1000 }, () => book.wait(pool, need));
  const settled = Promise.allSettled(waiting);
  await assert.rejects(book.wait(pool, need), { reason: "TOO_MANY_WAITING", retryAfterMs: 1000 });
  assert.equal(pool.waiting.length, 1000);
  book.stop(new AppError("SHUTTING_DOWN"));
  assert.ok((await settled).every((it) => it.status === "rejected"));
});

test("whoever is behind a client that leaves while it waits for money to return is asked for at once", async () => {
  const clock = fakeClock();
  const asks: TravellingAsk[] = [];
  const book = openBook({ ask: (ask) => asks.push(ask) }, clock, currentEpoch(clock));
  const pool = book.poolOf("acc", "llm");
  const answer = (decision: Decision, lease: object, available: bigint) =>
    asks.at(-1)?.answered(
      create(CheckQuotaResultSchema, {
        response: {
          decision,
          available: { amountNanos: available },
          lease: { id: `lse_${"1".repeat(32)}`, epoch: 1n, holders: 1, ...lease },
        },
      }),
    );
  const dear = { worstCaseNanos: 100n, minimumNanos: 100n, worstCaseUnits: 1 };
  const cheap = { worstCaseNanos: 10n, minimumNanos: 10n, worstCaseUnits: 1 };
  const running = book.wait(pool, dear);
  asks[0]?.request();
  answer(Decision.ALLOW, { granted: { amountNanos: 100n } }, 0n);
  await running;
  const leaving = new AbortController();
  const first = book.wait(pool, dear, () => leaving.signal);
  asks.at(-1)?.request();
  const behind = book.wait(pool, cheap);
  answer(Decision.DENY, {}, 20n);
  const asked = asks.length;
  leaving.abort();
  await assert.rejects(first, { reason: "CLIENT_CLOSED" });
  assert.equal(asks.length, asked + 1);
  book.stop(new AppError("SHUTTING_DOWN"));
  await assert.rejects(behind, { reason: "SHUTTING_DOWN" });
});

test("a client that has left before it would wait takes no place in line", async () => {
  const clock = fakeClock();
  const book = openBook({ ask: () => undefined }, clock, currentEpoch(clock));
  const pool = book.poolOf("acc", "llm");
  const need = { worstCaseNanos: 1n, minimumNanos: 1n, worstCaseUnits: 1 };
  await assert.rejects(
    book.wait(pool, need, () => AbortSignal.abort()),
    { reason: "CLIENT_CLOSED" },
  );
  assert.equal(pool.waiting.length, 0);
});

// biome-ignore format: a decision table is read by column
const errors: [name: string, error: ErrorReason, reason: string | undefined][] = [
  ["an account that does not exist refuses those who wait", ErrorReason.ACCOUNT_NOT_FOUND, "ACCOUNT_NOT_FOUND"],
  ["a currency that does not match refuses them",           ErrorReason.CURRENCY_MISMATCH, "CURRENCY_MISMATCH"],
  ["a lease that is gone makes them ask for another",       ErrorReason.LEASE_NOT_FOUND, undefined],
  ["a lease that is closed makes them ask for another",     ErrorReason.LEASE_NOT_OPEN, undefined],
  ["a stale epoch makes them ask again",                    ErrorReason.EPOCH_STALE, undefined],
];

for (const [name, error, reason] of errors) {
  test(name, async () => {
    const clock = fakeClock();
    const asks: TravellingAsk[] = [];
    const book = openBook({ ask: (ask) => asks.push(ask) }, clock, currentEpoch(clock));
    const pool = book.poolOf("acc", "llm");
    const need = { worstCaseNanos: 5n, minimumNanos: 5n, worstCaseUnits: 1 };
    const waiting = book.wait(pool, need);
    const outcome = waiting.then(
      () => "admitted",
      (thrown: AppError) => thrown.reason,
    );
    const firstId = asks[0]?.request().requestId;
    asks[0]?.answered(create(CheckQuotaResultSchema, { error }));
    if (reason === undefined) {
      await clock.advance(50);
      assert.equal(asks.length, 2);
      assert.notEqual(asks[1]?.request().requestId, firstId);
      book.stop(new AppError("SHUTTING_DOWN"));
    }
    assert.equal(await outcome, reason ?? "SHUTTING_DOWN");
  });
}

/** Lets promises that are settled tell those who wait for them, without a turn of the event loop. */
async function microtasks(): Promise<void> {
  for (let i = 0; i < 8; i++) await Promise.resolve();
}

async function turns(): Promise<void> {
  for (let i = 0; i < 12; i++) await new Promise((resolve) => setImmediate(resolve));
}
