import assert from "node:assert/strict";
import test from "node:test";
import { fakeClock } from "@farebox/kit/testing/clock";
import { GatewayEpoch } from "./gateway-epoch.ts";

test("leases are valid for 30 s from when the last answered renewal was sent, by whichever clock ran further", async () => {
  const clock = fakeClock();
  const epoch = new GatewayEpoch(clock);
  assert.equal(epoch.isValid, false, "before the first welcome");
  epoch.welcome(1n, 30_000, epoch.now());
  await clock.advance(29_999);
  assert.equal(epoch.isValid, true);
  await clock.advance(1);
  assert.equal(epoch.isValid, false);
  const sentAt = epoch.now();
  await clock.advance(10_000);
  epoch.renew(sentAt);
  await clock.advance(19_999);
  assert.equal(epoch.isValid, true);
  await clock.advance(1);
  assert.equal(epoch.isValid, false, "counted from the sending, not the answer");
  epoch.renew(epoch.now());
  clock.jumpWall(3_600_000);
  assert.equal(epoch.isValid, false, "a machine that slept");
  epoch.renew(epoch.now());
  clock.jumpWall(-7_200_000);
  assert.equal(epoch.isValid, true, "a clock set back makes nothing last longer");
  await clock.advance(30_000);
  assert.equal(epoch.isValid, false);
});

test("an older epoch is drained when no call of it runs and Billing has answered for its last outcome", () => {
  const epoch = new GatewayEpoch(fakeClock());
  epoch.welcome(1n, 30_000, epoch.now());
  const first = epoch.current;
  assert.ok(first);
  assert.equal(epoch.welcome(1n, 30_000, epoch.now()), false, "the same epoch again");
  assert.equal(epoch.isDrained(0), true);
  first.callsInFlight = 1;
  assert.equal(epoch.welcome(3n, 30_000, epoch.now()), true);
  assert.equal(epoch.isDrained(1000), false, "a call runs");
  first.callsInFlight = 0;
  first.lastOutcome = 1001;
  assert.equal(epoch.isDrained(1000), false, "an outcome is not acknowledged");
  assert.equal(epoch.isDrained(1001), true);
});
