import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import test from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { AppError } from "@farebox/kit/app-error";
import { secret } from "@farebox/kit/ids";
import { fakeClock } from "@farebox/kit/testing/clock";
import { ApiKeyState } from "@farebox/proto/farebox/billing/v1/account";
import {
  ResolveApiKeysResponseSchema,
  type ResolvedKeySchema,
  WatchAccessResponseSchema,
} from "@farebox/proto/farebox/billing/v1/account_service";
import { AccessCache } from "./access-cache.ts";

type Key = MessageInitShape<typeof ResolvedKeySchema>;
const pepper = "pepper";
const hashOf = (text: string) => createHmac("sha256", pepper).update(text).digest();
const keyOf = (state: ApiKeyState, over: NonNullable<Key["apiKey"]> = {}): Key => ({
  found: true,
  apiKey: { id: "key_1", userId: "u", scopes: ["inference"], state, ...over },
  account: { id: "acc_1", currencyCode: "USD" },
});

function opened() {
  const clock = fakeClock();
  const keys = new Map<string, Key>();
  const state = {
    isDown: false,
    hasLease: false,
    questions: [] as number[],
    before: async () => {},
  };
  const cache = new AccessCache({
    pepper,
    clock,
    hasLease: () => state.hasLease,
    resolveApiKeys: async ({ keyHashes = [] }) => {
      state.questions.push(keyHashes.length);
      const found = keyHashes.map((hash) => keys.get(Buffer.from(hash).toString("hex")) ?? {});
      await state.before();
      if (state.isDown) throw new AppError("UNAVAILABLE");
      return create(ResolveApiKeysResponseSchema, { keys: found });
    },
  });
  const beat = (message: MessageInitShape<typeof WatchAccessResponseSchema> = {}) =>
    cache.take(create(WatchAccessResponseSchema, message));
  const made = secret("fbx");
  keys.set(hashOf(made).toString("hex"), keyOf(ApiKeyState.ACTIVE));
  beat({ resync: true });
  return { clock, keys, state, cache, beat, made };
}

test("a key is asked about once, then found at once, without a promise", async () => {
  const { cache, state, made } = opened();
  const [first, second] = await Promise.all([cache.find(made), cache.find(made)]);
  assert.equal(first.accountId, "acc_1");
  assert.deepEqual(second, first);
  assert.ok(!(cache.find(made) instanceof Promise));
  assert.deepEqual(state.questions, [1]);
});

test("the unknown keys of one turn travel together, and are not asked about again for a while", async () => {
  const { cache, state, clock, beat } = opened();
  const unknown = Array.from({ length: 5 }, () => secret("fbx"));
  const asked = await Promise.allSettled(unknown.map(async (it) => cache.find(it)));
  assert.ok(
    asked.every((it) => it.status === "rejected" && it.reason.reason === "UNAUTHENTICATED"),
  );
  assert.deepEqual(state.questions, [5]);
  assert.throws(() => cache.find(unknown[0] ?? ""), { reason: "UNAUTHENTICATED" });
  assert.throws(() => cache.find("not a key at all"), { reason: "UNAUTHENTICATED" });
  assert.deepEqual(state.questions, [5]);
  await clock.advance(2000);
  beat();
  await assert.rejects(async () => cache.find(unknown[0] ?? ""), { reason: "UNAUTHENTICATED" });
  assert.deepEqual(state.questions, [5, 1]);
});

test("a revocation takes effect with the heartbeat that carries it", async () => {
  const { cache, beat, made } = opened();
  await cache.find(made);
  beat({ changedKeyHashes: [hashOf(made)], changedKeys: [keyOf(ApiKeyState.REVOKED)] });
  assert.throws(() => cache.find(made), { reason: "UNAUTHENTICATED" });
});

test("a revocation that overtakes the answer about the key is not lost", async () => {
  const { cache, state, beat, made } = opened();
  state.before = async () =>
    beat({ changedKeyHashes: [hashOf(made)], changedKeys: [keyOf(ApiKeyState.REVOKED)] });
  await assert.rejects(async () => cache.find(made), { reason: "UNAUTHENTICATED" });
});

test("a key works until it expires", async () => {
  const { cache, keys, clock, made } = opened();
  const expireTime = timestampFromMs(clock.nowMs() + 500);
  keys.set(hashOf(made).toString("hex"), keyOf(ApiKeyState.ACTIVE, { expireTime }));
  await cache.find(made);
  await clock.advance(500);
  assert.throws(() => cache.find(made), { reason: "UNAUTHENTICATED" });
});

test("after a resync every key is asked about anew", async () => {
  const { cache, state, beat, made, keys } = opened();
  await cache.find(made);
  keys.set(hashOf(made).toString("hex"), keyOf(ApiKeyState.DISABLED));
  beat({ resync: true });
  await assert.rejects(async () => cache.find(made), { reason: "UNAUTHENTICATED" });
  assert.deepEqual(state.questions, [1, 1]);
});

test("without heartbeats a key lives as long as its account's lease", async () => {
  const { cache, state, clock, made } = opened();
  await cache.find(made);
  state.isDown = true;
  state.hasLease = true;
  await clock.advance(1001);
  assert.ok(!(cache.find(made) instanceof Promise));
  state.hasLease = false;
  await assert.rejects(async () => cache.find(made), { reason: "BILLING_UNAVAILABLE" });
});

test("an account that changed changes for all its keys", async () => {
  const { cache, beat, made } = opened();
  await cache.find(made);
  beat({ changedAccounts: [{ id: "acc_1", currencyCode: "USD", disconnectPolicy: 3 }] });
  assert.equal((await cache.find(made)).disconnectPolicy, "nothing");
});
