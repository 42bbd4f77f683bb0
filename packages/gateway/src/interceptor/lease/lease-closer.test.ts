import assert from "node:assert/strict";
import test from "node:test";
import { create } from "@bufbuild/protobuf";
import { AppError } from "@farebox/kit/app-error";
import { createLogger } from "@farebox/kit/logger";
import type { Reason } from "@farebox/kit/reasons";
import { fakeClock } from "@farebox/kit/testing/clock";
import { DeductQuotaResponseSchema } from "@farebox/proto/farebox/billing/v1/billing_service";
import { GatewayEpoch } from "../settlement/gateway-epoch.ts";
import type { Lease } from "./lease.ts";
import { LeaseCloser } from "./lease-closer.ts";

function opened(answers: (Reason | "closed")[]) {
  const clock = fakeClock();
  const epoch = new GatewayEpoch(clock);
  epoch.welcome(3n, 30_000, epoch.now());
  const { current } = epoch;
  assert.ok(current);
  const totals: (bigint | undefined)[] = [];
  const locks: string[] = [];
  const closer = new LeaseCloser({
    clock,
    epoch,
    log: createLogger({ name: "test", level: "silent" }),
    quotaLock: "always",
    deadlineMs: 2000,
    lock: {
      tryLock: async (key) => {
        locks.push(key);
        return { release: () => locks.push("released"), validForMs: () => 1 };
      },
    },
    billing: {
      deductQuota: async (req) => {
        assert.deepEqual(
          [req.leaseId, req.accountId, req.epoch, req.close],
          ["lse_1", "acc", 3n, true],
        );
        totals.push(req.finalTotal?.amountNanos);
        const answer = answers.shift() ?? "closed";
        if (answer !== "closed") throw new AppError(answer);
        return create(DeductQuotaResponseSchema, {});
      },
    },
  });
  const lease: Lease = {
    id: Buffer.alloc(16),
    name: "lse_1",
    epoch: current,
    accountId: "acc",
    service: "llm",
    granted: 100n,
    counted: 120n,
    free: -20n,
    freeUnit: "none",
    grantedUnits: 0,
    freeUnits: 0,
    callsInFlight: 0,
    lastOutcome: 0,
    refillBelow: 0n,
    holders: 1,
    closeTries: 0,
  };
  return { clock, epoch, closer, lease, totals, locks };
}

test("a lease is closed under its lock, with what was counted up to what was granted", async () => {
  const { closer, lease, totals, locks } = opened([]);
  await closer.close(lease);
  assert.deepEqual(totals, [100n]);
  assert.deepEqual(locks, ["quota_lock:acc:llm", "released"]);
  assert.equal(closer.figures.closed, 1);
});

test("a close that was not answered is repeated until it is", async () => {
  const { clock, closer, lease, totals } = opened(["UNAVAILABLE", "DEADLINE_EXCEEDED"]);
  await closer.close(lease);
  await clock.advance(5000);
  assert.deepEqual(totals, [100n, 100n, 100n]);
  assert.equal(closer.figures.closed, 1);
});

test("a total that Billing never reaches is drift: noted, and the lease is closed without it", async () => {
  const { clock, closer, lease, totals } = opened([
    "JOURNAL_BEHIND",
    "JOURNAL_BEHIND",
    "JOURNAL_BEHIND",
  ]);
  await closer.close(lease);
  await clock.advance(5000);
  assert.deepEqual(totals, [100n, 100n, 100n, undefined]);
  assert.deepEqual(closer.figures, { closed: 1, drifted: 1 });
});

test("a lease that is gone already needs no closing, and an epoch that is over no repetition", async () => {
  const gone = opened(["LEASE_NOT_FOUND"]);
  await gone.closer.close(gone.lease);
  await gone.clock.advance(5000);
  assert.equal(gone.totals.length, 1);
  const over = opened(["UNAVAILABLE"]);
  await over.closer.close(over.lease);
  over.epoch.welcome(4n, 30_000, over.epoch.now());
  await over.clock.advance(5000);
  assert.equal(over.totals.length, 2, "the sleep before the second try was under way");
});
