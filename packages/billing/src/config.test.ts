import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { readConfig } from "./config.ts";

const required = {
  DATABASE_URL: "mysql://root:password@127.0.0.1:3306/farebox",
  SERVICE_TOKENS: "first-service-token,second-service-token",
  API_KEY_PEPPER: "a-pepper-of-some-length",
};

describe("billing's configuration", () => {
  it("has a default for everything but the database and the secrets", () => {
    const config = readConfig(required);
    assert.deepEqual(
      config.serviceTokens.map((token) => token.reveal()),
      ["first-service-token", "second-service-token"],
    );
    assert.deepEqual(
      [config.host, config.port, config.opsPort],
      ["127.0.0.1", { port: 50051, explicit: false }, { port: 9464, explicit: false }],
    );
    assert.deepEqual(
      [config.leaseValidForMs, config.leaseSuspectMaxMs, config.usageRetentionDays],
      [30_000, 900_000, 90],
    );
    assert.deepEqual([config.priceSync, config.autoCreateAccounts], ["off", false]);
    assert.ok(Object.isFrozen(config));
  });

  it("derives the secret of page tokens from the pepper, unless it is given", () => {
    const derived = readConfig(required).pageTokenSecret.reveal();
    assert.equal(derived, readConfig(required).pageTokenSecret.reveal());
    assert.ok(!derived.includes(required.API_KEY_PEPPER));
    const given = readConfig({ ...required, PAGE_TOKEN_SECRET: "given-and-long-enough" });
    assert.equal(given.pageTokenSecret.reveal(), "given-and-long-enough");
  });

  it("refuses times and tokens that would make nonsense of each other", () => {
    // biome-ignore format: a table is read by column
    const nonsense: [env: Record<string, string>, message: RegExp][] = [
      [{ LEASE_SUSPECT_MAX: "29s" },                         /LEASE_SUSPECT_MAX must be at least LEASE_VALID_FOR \(30000ms\)/],
      [{ LEASE_VALID_FOR: "20m" },                           /LEASE_SUSPECT_MAX must be at least LEASE_VALID_FOR \(1200000ms\)/],
      [{ LEASE_VALID_FOR: "0s", LEASE_SUSPECT_MAX: "0s" },   /LEASE_VALID_FOR must be at least "1s"/],
      [{ LEASE_SUSPECT_MAX: "60d" },                         /LEASE_SUSPECT_MAX must be at most "24d"/],
      [{ RECHARGE_EXPIRES_AFTER: "29m" },                    /RECHARGE_EXPIRES_AFTER must be from "30m" to "24h"/],
      [{ RECHARGE_EXPIRES_AFTER: "25h" },                    /RECHARGE_EXPIRES_AFTER must be from "30m" to "24h"/],
      [{ SERVICE_TOKENS: " , " },                            /SERVICE_TOKENS must hold a token/],
    ];
    for (const [env, message] of nonsense) {
      assert.throws(() => readConfig({ ...required, ...env }), message);
    }
    const equal = readConfig({ ...required, LEASE_VALID_FOR: "1s", LEASE_SUSPECT_MAX: "1s" });
    assert.deepEqual([equal.leaseValidForMs, equal.leaseSuspectMaxMs], [1000, 1000]);
  });

  it("names every variable at fault at once, and never shows a secret", () => {
    const faulty = {
      SERVICE_TOKENS: "hunter2",
      API_KEY_PEPPER: "short-pepper",
      BILLING_PORT: "70000",
      LEASE_VALID_FOR: "30",
      PRICE_SYNC: "litellm",
      OPENROUTER_MODELS_URL: "nowhere",
      USAGE_RETENTION_DAYS: "-1",
    };
    assert.throws(
      () => readConfig(faulty),
      ({ message }: Error) => {
        for (const name of ["DATABASE_URL", ...Object.keys(faulty)]) {
          assert.ok(message.includes(name), name);
        }
        assert.ok(!/hunter2|short-pepper/.test(message));
        return true;
      },
    );
    const shown = `${JSON.stringify(readConfig(required))} ${inspect(readConfig(required), { depth: 9 })}`;
    assert.ok(!/password|service-token|pepper-of/.test(shown));
  });
});
