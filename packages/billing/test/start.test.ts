import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { startBillingForTest } from "./billing-under-test.ts";

describe("a billing process", () => {
  it("is alive and ready, and shows its metrics", async () => {
    await using billing = await startBillingForTest();
    const get = async (path: string) => {
      const answer = await fetch(`${billing.opsUrl}${path}`);
      return [answer.status, await answer.text()] as const;
    };
    assert.equal((await get("/healthz"))[0], 200);
    assert.deepEqual(await get("/readyz"), [200, '{"ready":true,"failing":[]}\n']);
    const [status, metrics] = await get("/metrics");
    assert.equal(status, 200);
    for (const name of ["rpc_server_duration_seconds", "reconcile_drift", "job_runs_total"]) {
      assert.match(metrics, new RegExp(`^# TYPE ${name} `, "m"));
    }
  });

  it("serves on the port that it is told, or not at all", async () => {
    await using billing = await startBillingForTest();
    const port = billing.address.split(":")[1] ?? "";
    await assert.rejects(startBillingForTest({ BILLING_PORT: port }), /taken/);
  });
});
