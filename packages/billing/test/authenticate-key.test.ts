import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Secret } from "@farebox/kit/env";
import { secret } from "@farebox/kit/ids";
import { type Orm, openOrm } from "@farebox/kit/orm";
import { fakeClock } from "@farebox/kit/testing/clock";
import type { TestDatabase } from "@farebox/kit/testing/mysql";
import { createKeyAuthenticator } from "../src/operations/authenticate-key.ts";
import { createAccount } from "../src/operations/create-account.ts";
import { createApiKey } from "../src/operations/create-api-key.ts";
import { revokeApiKey } from "../src/operations/revoke-api-key.ts";
import * as tables from "../src/store/tables.ts";
import { openBillingDatabase } from "./open-billing-database.ts";

const service = { kind: "service", name: "test" } as const;
const pepper = new Secret("a-pepper-for-tests-only");
const clock = fakeClock();

let database: TestDatabase;
let orm: Orm;
let accountId: string;
before(async () => {
  database = await openBillingDatabase();
  orm = openOrm({ url: database.url, connectionsMax: 2, entities: Object.values(tables) });
  const account = await createAccount(
    { orm, clock },
    {
      requestId: "account",
      displayName: "",
      currencyCode: "USD",
      tenantId: "",
      overdraftLimitNanos: 0n,
      disconnectPolicy: "PARTIAL",
    },
  );
  accountId = account.id;
});
after(async () => {
  await orm[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

let requests = 0;
const deps = () => ({ orm, clock, pepper });
const newKey = (expireTimeMs?: number) => {
  requests += 1;
  return createApiKey(deps(), service, {
    requestId: `key-${requests}`,
    accountId,
    userId: "user",
    displayName: "",
    scopes: ["INFERENCE"],
    expireTimeMs,
    allowedModels: [],
  });
};

describe("a key authenticator", () => {
  it("finds the holder of a key, and nobody for any other text", async () => {
    const authenticate = createKeyAuthenticator(deps());
    const made = await newKey();
    assert.deepEqual(await authenticate(made.secret), {
      kind: "key",
      apiKeyId: `key_${Buffer.from(made.apiKey.id).toString("hex")}`,
      accountId,
      userId: "user",
      scopes: new Set(["INFERENCE"]),
    });
    for (const other of ["", "fbx_", secret("fbx"), made.secret.toLowerCase(), `${made.secret} `]) {
      assert.equal(await authenticate(other), undefined, other);
    }
    const otherPepper = { ...deps(), pepper: new Secret("another-pepper-altogether") };
    assert.equal(await createKeyAuthenticator(otherPepper)(made.secret), undefined);
  });

  it("believes a key for half a second after it was revoked, never longer", async () => {
    const authenticate = createKeyAuthenticator(deps());
    const { secret: key, apiKey } = await newKey();
    assert.ok(await authenticate(key));
    const apiKeyId = `key_${Buffer.from(apiKey.id).toString("hex")}`;
    await revokeApiKey(deps(), service, apiKeyId);
    await clock.advance(499);
    assert.ok(await authenticate(key));
    await clock.advance(1);
    assert.equal(await authenticate(key), undefined);
  });

  it("ends a key at its instant, also one that it has just read", async () => {
    const authenticate = createKeyAuthenticator(deps());
    const { secret: key } = await newKey(clock.nowMs() + 100);
    assert.ok(await authenticate(key));
    await clock.advance(99);
    assert.ok(await authenticate(key));
    await clock.advance(1);
    assert.equal(await authenticate(key), undefined);
  });
});
