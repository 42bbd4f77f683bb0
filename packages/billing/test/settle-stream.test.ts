import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { AppError } from "@farebox/kit/app-error";
import { formatId, newUuid } from "@farebox/kit/ids";
import type { RpcContext } from "@farebox/kit/rpc-context";
import { fakeClock } from "@farebox/kit/testing/clock";
import {
  type SettleUsageRequest,
  SettleUsageRequestSchema,
} from "@farebox/proto/farebox/billing/v1/billing_service";
import { SettleStatus as StatusNumbers } from "@farebox/proto/farebox/billing/v1/usage";
import type { SettleStatus } from "../src/domain/settle-plan.ts";
import { createSettleCodec } from "../src/rpc/settle-codec.ts";
import { createSettleStreams } from "../src/rpc/settle-streams.ts";
import { type SettleUsageDeps, settleUsage } from "../src/rpc/settle-usage.ts";

const gatewayId = newUuid();
const clock = fakeClock();

type Settling = {
  readonly itemsCount: number;
  readonly done: PromiseWithResolvers<readonly SettleStatus[]>;
};

/** A billing whose settlements end when the test says so. */
function billing(changes: Partial<SettleUsageDeps> = {}) {
  const settling: Settling[] = [];
  const drained: bigint[] = [];
  let epoch = 0n;
  const deps: SettleUsageDeps = {
    clock,
    leaseValidForMs: 30_500,
    streams: createSettleStreams(),
    openSession: async (input) => {
      epoch += 1n;
      return { ...input, epoch };
    },
    renewSession: async () => undefined,
    drainSession: async (input) => {
      drained.push(input.drainedEpoch);
    },
    isCurrent: async () => true,
    itemsOf: createSettleCodec().itemsOf,
    settleItems: (items) => {
      const done = Promise.withResolvers<readonly SettleStatus[]>();
      settling.push({ itemsCount: items.length, done });
      return done.promise;
    },
    ...changes,
  };
  return { deps, settling, drained };
}

/** A gateway's end of a stream, whose messages are taken one by one as they are asked for. */
function connect(deps: SettleUsageDeps, bootId = newUuid()) {
  const waiting: SettleUsageRequest[] = [];
  let taken = 0;
  let arrived = Promise.withResolvers<void>();
  async function* messages(): AsyncGenerator<SettleUsageRequest> {
    for (;;) {
      const next = waiting.shift();
      if (next === undefined) {
        await arrived.promise;
        continue;
      }
      taken += 1;
      yield next;
    }
  }
  const send = (message: SettleUsageRequest["message"]) => {
    waiting.push(create(SettleUsageRequestSchema, { message }));
    arrived.resolve();
    arrived = Promise.withResolvers();
  };
  const controller = new AbortController();
  const ctx: RpcContext = {
    caller: { kind: "service", name: "gateway" },
    requestId: "test",
    signal: controller.signal,
    language: "en",
    method: "farebox.billing.v1.BillingService/SettleUsage",
  };
  const replies = settleUsage(deps, messages(), ctx);
  const next = async () => {
    const result = await replies.next();
    assert.ok(result.done !== true, "the stream goes on");
    return result.value.message;
  };
  return {
    send,
    next,
    replies,
    takenCount: () => taken,
    abort: () => controller.abort(new AppError("CLIENT_CLOSED")),
    hello: () => {
      send(message.hello(formatId("gtw", gatewayId), bootId));
      return next();
    },
  };
}

const message = {
  hello: (id: string, bootId: Uint8Array): SettleUsageRequest["message"] =>
    create(SettleUsageRequestSchema, {
      message: { case: "hello", value: { gatewayId: id, bootId } },
    }).message,
  batch: (sequence: bigint, itemsCount = 1): SettleUsageRequest["message"] =>
    create(SettleUsageRequestSchema, {
      message: {
        case: "batch",
        value: { sequence, items: Array.from({ length: itemsCount }, () => ({})) },
      },
    }).message,
  renew: (sequence: bigint): SettleUsageRequest["message"] =>
    create(SettleUsageRequestSchema, { message: { case: "renew", value: { sequence } } }).message,
  drained: (epoch: bigint): SettleUsageRequest["message"] =>
    create(SettleUsageRequestSchema, { message: { case: "drained", value: { epoch } } }).message,
};

const applied: readonly SettleStatus[] = ["APPLIED"];
const acknowledgement = (sequence: bigint, statuses: readonly SettleStatus[] = applied) => ({
  case: "acknowledgement",
  value: { sequence, statuses: statuses.map((status) => StatusNumbers[status]) },
});
const turns = async () => {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

test("welcomes a gateway with its epoch and how long leases live", async () => {
  const stream = connect(billing().deps);
  assert.deepEqual(await stream.hello(), {
    case: "welcome",
    value: { epoch: 1n, validFor: { seconds: 30n, nanos: 500_000_000 } },
  });
  await stream.replies.return();
});

test("settles sixteen batches at a time and acknowledges them in their order", async () => {
  const { deps, settling } = billing();
  const stream = connect(deps);
  await stream.hello();
  const first = stream.next();
  for (let sequence = 1n; sequence <= 18n; sequence += 1n) stream.send(message.batch(sequence));
  await turns();
  assert.deepEqual(
    [settling.length, stream.takenCount()],
    [16, 17],
    "the hello and sixteen batches",
  );
  for (const { done } of settling.toReversed()) done.resolve(applied);
  assert.deepEqual(await first, acknowledgement(1n));
  await turns();
  assert.equal(settling.length, 16, "an answer makes room when the next one is asked for");
  assert.deepEqual(await stream.next(), acknowledgement(2n));
  await turns();
  assert.equal(settling.length, 17);
  assert.deepEqual(await stream.next(), acknowledgement(3n));
  await turns();
  for (const { done } of settling) done.resolve(applied);
  for (let sequence = 4n; sequence <= 18n; sequence += 1n) {
    assert.deepEqual(await stream.next(), acknowledgement(sequence));
  }
  await stream.replies.return();
});

test("answers each item of a batch", async () => {
  const { deps, settling } = billing();
  const stream = connect(deps);
  await stream.hello();
  stream.send(message.batch(1n, 3));
  const answer = stream.next();
  await turns();
  const statuses = ["APPLIED", "DEAD_LETTERED", "DUPLICATE"] as const;
  settling[0]?.done.resolve(statuses);
  assert.deepEqual([settling[0]?.itemsCount, await answer], [3, acknowledgement(1n, statuses)]);
  await stream.replies.return();
});

test("releases what is drained only after everything sent before it is settled", async () => {
  const { deps, settling, drained } = billing();
  const stream = connect(deps);
  await stream.hello();
  stream.send(message.batch(1n));
  stream.send(message.drained(0n));
  const first = stream.next();
  await turns();
  assert.deepEqual(drained, []);
  settling[0]?.done.resolve(applied);
  assert.deepEqual(await first, acknowledgement(1n));
  assert.deepEqual(await stream.next(), { case: "drained", value: { epoch: 0n } });
  assert.deepEqual(drained, [0n]);
  await stream.replies.return();
});

test("ends the older stream when a newer boot says hello, after acknowledging what it settles", async () => {
  const { deps, settling } = billing();
  const older = connect(deps);
  await older.hello();
  older.send(message.batch(1n));
  const last = older.next();
  await turns();
  const newer = connect(deps);
  assert.deepEqual((await newer.hello())?.value, {
    epoch: 2n,
    validFor: { seconds: 30n, nanos: 500_000_000 },
  });
  settling[0]?.done.resolve(applied);
  assert.deepEqual(await last, acknowledgement(1n));
  await assert.rejects(older.next(), { reason: "EPOCH_STALE" });
  newer.send(message.renew(9n));
  assert.deepEqual(await newer.next(), { case: "renewed", value: { sequence: 9n } });
  await newer.replies.return();
});

test("settles a batch of a stream that another process has superseded, and then ends it", async () => {
  const { deps, settling } = billing({ isCurrent: async () => false });
  const stream = connect(deps);
  await stream.hello();
  stream.send(message.batch(1n));
  let answer = stream.next();
  await turns();
  settling[0]?.done.resolve(applied);
  assert.deepEqual(await answer, acknowledgement(1n), "looks at most once a second");
  await clock.advance(1_000);
  stream.send(message.batch(2n));
  answer = stream.next();
  await turns();
  settling[1]?.done.resolve(applied);
  assert.deepEqual(await answer, acknowledgement(2n));
  await assert.rejects(stream.next(), { reason: "EPOCH_STALE" });
});

test("refuses a stale renewal behind the acknowledgements that are due", async () => {
  const { deps, settling } = billing({
    renewSession: () => Promise.reject(new AppError("EPOCH_STALE")),
  });
  const stream = connect(deps);
  await stream.hello();
  stream.send(message.batch(1n));
  stream.send(message.renew(1n));
  const first = stream.next();
  await turns();
  settling[0]?.done.resolve(applied);
  assert.deepEqual(await first, acknowledgement(1n));
  await assert.rejects(stream.next(), { reason: "EPOCH_STALE" });
});

test("ends with UNAVAILABLE when the database is gone, so that the gateway sends again", async () => {
  const { deps, settling } = billing();
  const stream = connect(deps);
  await stream.hello();
  stream.send(message.batch(1n));
  const first = stream.next();
  await turns();
  settling[0]?.done.reject(new AppError("UNAVAILABLE"));
  await assert.rejects(first, { reason: "UNAVAILABLE" });
});

test("waits for settlements in flight when the gateway goes away", async () => {
  const { deps, settling } = billing();
  const stream = connect(deps);
  await stream.hello();
  stream.send(message.batch(1n));
  const answer = stream.next();
  await turns();
  stream.abort();
  settling[0]?.done.resolve(applied);
  assert.deepEqual(await answer, acknowledgement(1n));
  await assert.rejects(stream.next(), { reason: "CLIENT_CLOSED" });
});

// biome-ignore format: a decision table is read by column
const refusals: [name: string, first: SettleUsageRequest["message"], second: SettleUsageRequest["message"] | undefined, field: string][] = [
  ["a first message that is no hello", message.renew(1n),                                        undefined,              "hello"],
  ["a gateway id that is none",        message.hello("gtw_xyz", newUuid()),                      undefined,              "hello.gateway_id"],
  ["a boot id of the wrong length",    message.hello(formatId("gtw", gatewayId), Buffer.of(1)),  undefined,              "hello.boot_id"],
  ["a second hello",                   message.hello(formatId("gtw", gatewayId), newUuid()),     message.hello(formatId("gtw", gatewayId), newUuid()), "hello"],
  ["a batch of 1001 items",            message.hello(formatId("gtw", gatewayId), newUuid()),     message.batch(1n, 1001), "batch.items"],
  ["an empty message",                 message.hello(formatId("gtw", gatewayId), newUuid()),     { case: undefined },    "message"],
];

for (const [name, first, second, field] of refusals) {
  test(`refuses ${name}`, async () => {
    const stream = connect(billing().deps);
    stream.send(first);
    if (second !== undefined) {
      await stream.next();
      stream.send(second);
    }
    await assert.rejects(stream.next(), { reason: "INVALID_ARGUMENT", metadata: { field } });
  });
}
