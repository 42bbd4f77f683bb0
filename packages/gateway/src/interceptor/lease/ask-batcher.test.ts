import assert from "node:assert/strict";
import test from "node:test";
import { create } from "@bufbuild/protobuf";
import { AppError } from "@farebox/kit/app-error";
import { fakeClock } from "@farebox/kit/testing/clock";
import {
  type BatchCheckQuotaResponse,
  BatchCheckQuotaResponseSchema,
} from "@farebox/proto/farebox/billing/v1/billing_service";
import type { BillingPort } from "../billing-port.ts";
import { GatewayEpoch } from "../settlement/gateway-epoch.ts";
import { AskBatcher } from "./ask-batcher.ts";

type Req = Parameters<BillingPort["batchCheckQuota"]>[0];

function opened() {
  const sent: { req: Req; answer: PromiseWithResolvers<BatchCheckQuotaResponse> }[] = [];
  const locks: string[] = [];
  const epoch = new GatewayEpoch(fakeClock());
  epoch.welcome(4n, 30_000, epoch.now());
  const batcher = new AskBatcher({
    gatewayId: "gtw_1",
    epoch,
    deadlineMs: 2000,
    billing: {
      batchCheckQuota: (req) => {
        const answer = Promise.withResolvers<BatchCheckQuotaResponse>();
        sent.push({ req, answer });
        return answer.promise;
      },
    },
    lock: {
      tryLockMany: async (keys) => {
        locks.push(`lock ${keys.join(" ")}`);
        // The first is obtained, the others are not.
        return keys.map((key, n) =>
          n > 0 ? undefined : { release: () => locks.push(`release ${key}`), validForMs: () => 1 },
        );
      },
    },
  });
  const told: string[] = [];
  const ask = (name: string, lockKey?: string) =>
    batcher.ask({
      request: () => ({ requestId: name }),
      lockKey,
      answered: (result) => told.push(`${name} ${result.error}`),
      failed: () => told.push(`${name} failed`),
    });
  return { batcher, sent, locks, told, ask };
}

const turn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

test("the asks of one turn travel as one, under their locks, each told its own answer", async () => {
  const { sent, locks, told, ask } = opened();
  ask("a", "quota_lock:1:llm");
  ask("b", "quota_lock:2:llm");
  ask("c");
  await turn();
  assert.deepEqual(
    sent.map(({ req }) => [req.gatewayId, req.gatewayEpoch, req.asks?.map((it) => it.requestId)]),
    [["gtw_1", 4n, ["a", "b", "c"]]],
  );
  assert.deepEqual(locks, ["lock quota_lock:1:llm quota_lock:2:llm"]);
  const results = [{ error: 10005 }, { error: 10006 }] as const;
  sent[0]?.answer.resolve(create(BatchCheckQuotaResponseSchema, { results: [...results] }));
  await turn();
  assert.deepEqual(
    told,
    ["a 10005", "b 10006", "c failed"],
    "an answer that is left out is no answer",
  );
  assert.deepEqual(locks.slice(1), ["release quota_lock:1:llm"]);
});

test("a batch that fails fails all it carried, and gives its locks back", async () => {
  const { sent, locks, told, ask } = opened();
  ask("a", "key");
  await turn();
  sent[0]?.answer.reject(new AppError("UNAVAILABLE"));
  await turn();
  assert.deepEqual(told, ["a failed"]);
  assert.deepEqual(locks, ["lock key", "release key"]);
});

test("no more than four batches of 500 are under way; the rest travels when one returns", async () => {
  const { sent, ask } = opened();
  for (let n = 0; n < 2300; n++) ask(`ask-${n}`);
  await turn();
  assert.deepEqual(
    sent.map(({ req }) => req.asks?.length),
    [500, 500, 500, 500],
  );
  sent[2]?.answer.reject(new AppError("UNAVAILABLE"));
  await turn();
  await turn();
  assert.equal(sent[4]?.req.asks?.length, 300);
});
