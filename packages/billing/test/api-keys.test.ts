import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { systemClock } from "@farebox/kit/clock";
import { Secret } from "@farebox/kit/env";
import { type Orm, openOrm } from "@farebox/kit/orm";
import { ApiKeyState } from "@farebox/proto/farebox/billing/v1/account";
import {
  AccountService,
  type WatchAccessResponse,
} from "@farebox/proto/farebox/billing/v1/account_service";
import type { RowDataPacket } from "mysql2/promise";
import { rotateApiKey } from "../src/operations/rotate-api-key.ts";
import * as tables from "../src/store/tables.ts";
import {
  type BillingUnderTest,
  openAccount,
  startBillingForTest,
  testEnv,
  uniqueRequest,
} from "./billing-under-test.ts";

let billing: BillingUnderTest;
before(async () => {
  billing = await startBillingForTest();
});
after(() => billing[Symbol.asyncDispose]());

const accounts = (key?: string) => billing.client(AccountService, key);
const hashOf = (secret: string) =>
  new Uint8Array(createHmac("sha256", testEnv.API_KEY_PEPPER).update(secret).digest());

/** What a gateway is told of a secret, straight from MySQL. */
async function stateOf(secret: string): Promise<ApiKeyState | undefined> {
  const { keys } = await accounts().resolveApiKeys({ keyHashes: [hashOf(secret)] });
  return keys[0]?.apiKey?.state;
}

describe("an API key", () => {
  it("is shown once, stored as a keyed hash, and opens its own account", async () => {
    const { accountId } = await openAccount(billing);
    const request = { requestId: uniqueRequest(), accountId, scopes: ["billing:read"] };
    const made = await accounts().createApiKey(request);
    const again = await accounts().createApiKey(request);
    assert.match(made.secret, /^fbx_[0-9A-Za-z]{49}$/);
    assert.equal(again.secret, "");
    assert.deepEqual(again.apiKey, made.apiKey);
    assert.equal(made.apiKey?.last4, made.secret.slice(-4));
    const own = await accounts(made.secret).getAccount({});
    assert.equal(own.account?.id, accountId);
    const [rows] = await billing.pool.query<RowDataPacket[]>(
      "SELECT * FROM api_key WHERE account_id = ?",
      [accountId],
    );
    const stored = JSON.stringify(rows, (_, value) =>
      value?.type === "Buffer" ? Buffer.from(value.data).toString("latin1") : value,
    );
    assert.ok(!stored.includes(made.secret.slice(4, -6)));
    assert.ok(rows.some((row) => row.hash.equals(Buffer.from(hashOf(made.secret)))));
  });

  it("is made once by any number of equal calls at once, and shown to one of them", async () => {
    const { accountId } = await openAccount(billing);
    const request = { requestId: uniqueRequest(), accountId };
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => accounts().createApiKey(request)),
    );
    assert.equal(new Set(answers.map((it) => it.apiKey?.id)).size, 1);
    assert.equal(answers.filter((it) => it.secret !== "").length, 1);
    assert.deepEqual(answers[0]?.apiKey?.scopes, ["inference", "billing:read"]);
  });

  it("cannot be made by a request id that was used for another", async () => {
    const { accountId } = await openAccount(billing);
    const request = { requestId: uniqueRequest(), accountId };
    await accounts().createApiKey(request);
    const later = timestampFromMs(Date.now() + 60_000);
    for (const change of [
      { userId: "u" },
      { displayName: "d" },
      { scopes: ["inference"] },
      { expireTime: later },
      { allowedModels: ["gpt-*"] },
    ]) {
      await assert.rejects(accounts().createApiKey({ ...request, ...change }), {
        reason: "REQUEST_ID_REUSED",
      });
    }
  });

  it("hands on only scopes that it holds", async () => {
    const { key, accountId } = await openAccount(billing, {
      scopes: ["inference", "billing:read", "billing:write"],
    });
    for (const scope of ["admin", "device"]) {
      const call = accounts(key).createApiKey({ requestId: uniqueRequest(), scopes: [scope] });
      await assert.rejects(call, {
        reason: "PERMISSION_DENIED",
        metadata: { scope },
      });
    }
    const made = await accounts(key).createApiKey({ requestId: uniqueRequest() });
    assert.equal(made.apiKey?.accountId, accountId);
    const admin = await accounts().createApiKey({
      requestId: uniqueRequest(),
      accountId,
      scopes: ["admin"],
    });
    const byAdmin = await accounts(admin.secret).createApiKey({
      requestId: uniqueRequest(),
      scopes: ["admin", "device"],
    });
    assert.deepEqual(byAdmin.apiKey?.scopes, ["device", "admin"]);
    // A new secret of a stronger key would be as good as the scope itself.
    const rotation = { requestId: uniqueRequest(), apiKeyId: admin.apiKey?.id ?? "" };
    await assert.rejects(accounts(key).rotateApiKey(rotation), { reason: "PERMISSION_DENIED" });
  });

  it("never makes, wakes or renews a key that reaches further than itself", async () => {
    const { accountId } = await openAccount(billing);
    const limits = { allowedModels: ["gpt-4o*"], expireTime: timestampFromMs(Date.now() + 60_000) };
    const scopes = ["inference", "billing:write"];
    const narrow = await accounts().createApiKey({
      requestId: uniqueRequest(),
      accountId,
      scopes,
      ...limits,
    });
    const client = accounts(narrow.secret);
    const create = (wanted: object) =>
      client.createApiKey({ requestId: uniqueRequest(), scopes, ...limits, ...wanted });
    const later = timestampFromMs(Date.now() + 61_000);
    const excesses: [field: string, wanted: object][] = [
      ["allowed_models", { allowedModels: [] }],
      ["allowed_models", { allowedModels: ["gpt-4o-mini", "gpt-*"] }],
      ["expire_time", { expireTime: undefined }],
      ["expire_time", { expireTime: later }],
    ];
    for (const [field, wanted] of excesses) {
      const denied = { reason: "PERMISSION_DENIED", metadata: { field } };
      await assert.rejects(create(wanted), denied);
      // The same key, made by who may: a new secret of it, or switching it on, would be as good as making it.
      const wider = await accounts().createApiKey({
        requestId: uniqueRequest(),
        accountId,
        scopes,
        ...limits,
        ...wanted,
      });
      const apiKeyId = wider.apiKey?.id ?? "";
      const rotation = { requestId: uniqueRequest(), apiKeyId };
      await assert.rejects(client.rotateApiKey(rotation), denied);
      await client.updateApiKey({ apiKeyId, state: ApiKeyState.DISABLED });
      const waking = client.updateApiKey({ apiKeyId, state: ApiKeyState.ACTIVE });
      await assert.rejects(waking, denied);
      assert.equal(await stateOf(wider.secret), ApiKeyState.DISABLED);
      await accounts().rotateApiKey(rotation);
    }
    const equal = await create({});
    const narrower = await create({ scopes: ["inference"], allowedModels: ["gpt-4o-mini"] });
    const apiKeyId = narrower.apiKey?.id ?? "";
    await client.updateApiKey({ apiKeyId, state: ApiKeyState.DISABLED });
    await client.updateApiKey({ apiKeyId, state: ApiKeyState.ACTIVE });
    const rotated = await client.rotateApiKey({
      requestId: uniqueRequest(),
      apiKeyId: equal.apiKey?.id ?? "",
    });
    assert.deepEqual(rotated.apiKey?.expireTime, narrow.apiKey?.expireTime);
    const own = await client.rotateApiKey({
      requestId: uniqueRequest(),
      apiKeyId: narrow.apiKey?.id ?? "",
    });
    assert.deepEqual(own.apiKey?.allowedModels, limits.allowedModels);
  });

  it("must end in the future, and stops when it does", async () => {
    const { accountId } = await openAccount(billing);
    const request = () => ({ requestId: uniqueRequest(), accountId });
    for (const ms of [0, Date.now() - 1]) {
      const call = accounts().createApiKey({ ...request(), expireTime: timestampFromMs(ms) });
      await assert.rejects(call, {
        reason: "INVALID_ARGUMENT",
        metadata: { field: "expire_time" },
      });
    }
    const ended = await accounts().createApiKey(request());
    await billing.pool.query("UPDATE api_key SET expire_time = '2020-01-01' WHERE hash = ?", [
      Buffer.from(hashOf(ended.secret)),
    ]);
    await assert.rejects(accounts(ended.secret).getAccount({}), { reason: "UNAUTHENTICATED" });
  });

  it("is switched off and on, and revoked for good", async () => {
    const { accountId, key } = await openAccount(billing);
    const { apiKey, secret } = await accounts().createApiKey({
      requestId: uniqueRequest(),
      accountId,
    });
    const apiKeyId = apiKey?.id ?? "";
    const { DISABLED, ACTIVE, REVOKED } = ApiKeyState;
    await accounts(key).updateApiKey({ apiKeyId, state: DISABLED });
    assert.equal(await stateOf(secret), DISABLED);
    await assert.rejects(accounts(secret).getAccount({}), { reason: "UNAUTHENTICATED" });
    await accounts(key).updateApiKey({ apiKeyId, state: ACTIVE });
    assert.equal(await stateOf(secret), ACTIVE);
    const revoked = await accounts(key).revokeApiKey({ apiKeyId });
    assert.equal(revoked.apiKey?.state, REVOKED);
    assert.deepEqual(await accounts(key).revokeApiKey({ apiKeyId }), revoked);
    await assert.rejects(accounts(key).updateApiKey({ apiKeyId, state: ACTIVE }), {
      reason: "INVALID_ARGUMENT",
    });
    assert.equal(await stateOf(secret), REVOKED);
    for (const state of [ApiKeyState.REVOKED, ApiKeyState.UNSPECIFIED]) {
      await assert.rejects(accounts(key).updateApiKey({ apiKeyId, state }), {
        reason: "INVALID_ARGUMENT",
      });
    }
  });

  it("is rotated into a new secret with the same rights, the old one living out its grace", async () => {
    const { accountId, key } = await openAccount(billing);
    const old = await accounts().createApiKey({
      requestId: uniqueRequest(),
      accountId,
      userId: "u",
      displayName: "rotated",
      scopes: ["inference"],
      allowedModels: ["gpt-*"],
    });
    const request = {
      requestId: uniqueRequest(),
      apiKeyId: old.apiKey?.id ?? "",
      oldValidFor: { seconds: 60n, nanos: 0 },
    };
    const made = await accounts(key).rotateApiKey(request);
    const rights = ({ apiKey }: typeof made) => [
      apiKey?.accountId,
      apiKey?.userId,
      apiKey?.displayName,
      apiKey?.scopes,
      apiKey?.allowedModels,
      apiKey?.state,
    ];
    assert.deepEqual(rights(made), rights({ ...made, apiKey: old.apiKey } as typeof made));
    assert.equal(await stateOf(old.secret), ApiKeyState.ACTIVE);
    assert.equal(await stateOf(made.secret), ApiKeyState.ACTIVE);
    const again = await accounts(key).rotateApiKey(request);
    assert.deepEqual([again.apiKey, again.secret], [made.apiKey, ""]);
    await assert.rejects(accounts(key).rotateApiKey({ ...request, oldValidFor: { seconds: 1n } }), {
      reason: "REQUEST_ID_REUSED",
    });
    const next = { requestId: uniqueRequest(), apiKeyId: made.apiKey?.id ?? "" };
    await accounts(key).rotateApiKey(next);
    assert.equal(await stateOf(made.secret), ApiKeyState.REVOKED);
    await assert.rejects(accounts(key).rotateApiKey({ ...next, requestId: uniqueRequest() }), {
      reason: "API_KEY_NOT_FOUND",
    });
  });

  it("that is switched off stays so under a new secret, until it is switched on", async () => {
    const { accountId, key } = await openAccount(billing);
    const old = await accounts().createApiKey({ requestId: uniqueRequest(), accountId });
    const oldId = old.apiKey?.id ?? "";
    const { DISABLED, ACTIVE } = ApiKeyState;
    await accounts(key).updateApiKey({ apiKeyId: oldId, state: DISABLED });
    const made = await accounts(key).rotateApiKey({
      requestId: uniqueRequest(),
      apiKeyId: oldId,
      oldValidFor: { seconds: 60n, nanos: 0 },
    });
    assert.equal(made.apiKey?.state, DISABLED);
    assert.deepEqual([await stateOf(old.secret), await stateOf(made.secret)], [DISABLED, DISABLED]);
    await assert.rejects(accounts(made.secret).getAccount({}), { reason: "UNAUTHENTICATED" });
    await accounts(key).updateApiKey({ apiKeyId: made.apiKey?.id ?? "", state: ACTIVE });
    assert.equal(await stateOf(made.secret), ACTIVE);
  });

  it("that is switched off while it is being rotated is not switched on by its new secret", async () => {
    const { accountId, key } = await openAccount(billing);
    const old = await accounts().createApiKey({ requestId: uniqueRequest(), accountId });
    const apiKeyId = old.apiKey?.id ?? "";
    await using orm = openOrm({
      url: billing.databaseUrl,
      connectionsMax: 2,
      entities: Object.values(tables),
    });
    const switchOff = () => accounts(key).updateApiKey({ apiKeyId, state: ApiKeyState.DISABLED });
    const lateOrm: Orm = {
      ...orm,
      write: async (fn) => {
        await switchOff();
        return await orm.write(fn);
      },
    };
    const made = await rotateApiKey(
      { orm: lateOrm, clock: systemClock, pepper: new Secret(testEnv.API_KEY_PEPPER) },
      { kind: "service", name: "test" },
      { requestId: uniqueRequest(), apiKeyId, oldValidForMs: 60_000 },
    );
    assert.equal(made.apiKey.state, "DISABLED");
    assert.deepEqual(
      [await stateOf(old.secret), await stateOf(made.secret)],
      [ApiKeyState.DISABLED, ApiKeyState.DISABLED],
    );
  });

  it("that has expired is not rotated, while what was rotated before answers as it did", async () => {
    const { accountId, key } = await openAccount(billing);
    const old = await accounts().createApiKey({ requestId: uniqueRequest(), accountId });
    const rotation = {
      requestId: uniqueRequest(),
      apiKeyId: old.apiKey?.id ?? "",
      oldValidFor: { seconds: 60n, nanos: 0 },
    };
    const made = await accounts(key).rotateApiKey(rotation);
    await billing.pool.query("UPDATE api_key SET expire_time = '2020-01-01' WHERE hash = ?", [
      Buffer.from(hashOf(old.secret)),
    ]);
    const again = await accounts(key).rotateApiKey(rotation);
    assert.deepEqual(again.apiKey, made.apiKey);
    await assert.rejects(accounts(key).rotateApiKey({ ...rotation, requestId: uniqueRequest() }), {
      reason: "API_KEY_NOT_FOUND",
    });
    const { apiKeys } = await accounts(key).listApiKeys({});
    assert.equal(apiKeys.length, 3);
  });

  it("of another account does not exist, but for an administrator", async () => {
    const mine = await openAccount(billing);
    const theirs = await openAccount(billing);
    const apiKeyId = theirs.apiKeyId;
    const client = accounts(mine.key);
    const hidden = { reason: "API_KEY_NOT_FOUND" };
    await assert.rejects(client.revokeApiKey({ apiKeyId }), hidden);
    await assert.rejects(client.updateApiKey({ apiKeyId, state: ApiKeyState.DISABLED }), hidden);
    await assert.rejects(client.rotateApiKey({ requestId: uniqueRequest(), apiKeyId }), hidden);
    await assert.rejects(client.revokeApiKey({ apiKeyId: `key_${"0".repeat(32)}` }), hidden);
    assert.equal(await stateOf(theirs.key), ApiKeyState.ACTIVE);
    const admin = await openAccount(billing, { scopes: ["admin"] });
    await accounts(admin.key).revokeApiKey({ apiKeyId });
    assert.equal(await stateOf(theirs.key), ApiKeyState.REVOKED);
  });

  it("is listed newest first, page by page, never with a secret", async () => {
    const { accountId, key, apiKeyId } = await openAccount(billing);
    const made = [apiKeyId];
    for (let count = 0; count < 4; count += 1) {
      const { apiKey } = await accounts().createApiKey({ requestId: uniqueRequest(), accountId });
      made.unshift(apiKey?.id ?? "");
    }
    const seen: string[] = [];
    let pageToken = "";
    do {
      const page = await accounts(key).listApiKeys({ pageSize: 2, pageToken });
      seen.push(...page.apiKeys.map((it) => it.id));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    assert.deepEqual(seen, made);
  });
});

describe("ResolveApiKeys", () => {
  it("answers hash by hash, in their order, whatever the key's state", async () => {
    const { accountId, key, apiKeyId } = await openAccount(billing);
    const other = await openAccount(billing);
    await accounts().revokeApiKey({ apiKeyId });
    const unknown = new Uint8Array(32);
    const keyHashes = [hashOf(other.key), unknown, hashOf(key), hashOf(other.key)];
    const { keys } = await accounts().resolveApiKeys({ keyHashes });
    assert.deepEqual(
      keys.map((it) => [it.found, it.account?.id, it.apiKey?.state]),
      [
        [true, other.accountId, ApiKeyState.ACTIVE],
        [false, undefined, undefined],
        [true, accountId, ApiKeyState.REVOKED],
        [true, other.accountId, ApiKeyState.ACTIVE],
      ],
    );
  });
});

describe("WatchAccess", () => {
  it("asks for everything anew, then tells of every change and that nothing else has", async () => {
    const { accountId, key, apiKeyId } = await openAccount(billing);
    const stream = accounts().watchAccess({});
    const messages = stream[Symbol.asyncIterator]();
    const next = async (): Promise<WatchAccessResponse | undefined> =>
      (await messages.next()).value;
    assert.equal((await next())?.resync, true);
    await accounts().revokeApiKey({ apiKeyId });
    await accounts().updateAccount({ accountId, displayName: "renamed" });
    const told = { revoked: false, renamed: false };
    while (!told.revoked || !told.renamed) {
      const message = await next();
      assert.ok(message);
      message.changedKeys.forEach((changed, index) => {
        const isIt = changed.apiKey?.id === apiKeyId;
        if (!isIt || changed.apiKey?.state !== ApiKeyState.REVOKED) return;
        assert.deepEqual(new Uint8Array(message.changedKeyHashes[index] ?? []), hashOf(key));
        assert.equal(changed.account?.id, accountId);
        told.revoked = true;
      });
      told.renamed ||= message.changedAccounts.some(
        (it) => it.id === accountId && it.displayName === "renamed",
      );
    }
    // Heartbeats: silence is told too, and what was told is not told again.
    for (let beats = 0; beats < 2; beats += 1) {
      const message = await next();
      assert.deepEqual([message?.changedKeys, message?.changedAccounts], [[], []]);
    }
    stream.cancel();
  });
});
