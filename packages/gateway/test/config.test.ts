import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readConfig } from "../src/config.ts";

const secrets = { SERVICE_TOKEN: "token", API_KEY_PEPPER: "pepper" };
const demo = "http://127.0.0.1:9000";
const names = (env: Record<string, string>) =>
  readConfig({ ...secrets, ...env }).upstreams.map(({ name }) => name);

test("each provider key that is set makes an upstream, and the demo stands in for the others", () => {
  assert.deepEqual(names({ DEMO_UPSTREAM_URL: demo }), ["demo-openai", "demo-anthropic"]);
  assert.deepEqual(names({ DEMO_UPSTREAM_URL: demo, OPENAI_API_KEY: "sk" }), [
    "openai",
    "demo-anthropic",
  ]);
  const keys = { OPENAI_API_KEY: "a", ANTHROPIC_API_KEY: "b", OPENROUTER_API_KEY: "c" };
  assert.deepEqual(names({ DEMO_UPSTREAM_URL: demo, ...keys }), [
    "openai",
    "anthropic",
    "openrouter",
  ]);
});

test("an installation without any upstream does not start, and says what to set", () => {
  assert.throws(() => readConfig(secrets), /set FAREBOX_UPSTREAMS, OPENAI_API_KEY/);
});

test("every faulty variable is named at once", () => {
  const env = { DEMO_UPSTREAM_URL: "not a url", QUOTA_LOCK: "sometimes", GATEWAY_PORT: "x" };
  assert.throws(
    () => readConfig(env),
    (error) => {
      assert.ok(error instanceof Error);
      for (const name of ["SERVICE_TOKEN", "API_KEY_PEPPER", ...Object.keys(env)]) {
        assert.ok(error.message.includes(name), name);
      }
      return true;
    },
  );
});

test("values that would make nonsense are refused by the variable's name", () => {
  // biome-ignore format: a table is read by column
  const nonsense: [name: string, value: string, why: RegExp][] = [
    ["UPSTREAM_TIMEOUT",     "0s",                        /at least "1s"/],
    ["STREAM_IDLE_TIMEOUT",  "0ms",                       /at least "1s"/],
    ["SHUTDOWN_TIMEOUT",     "60d",                       /at most "24d"/],
    ["BILLING_GRACE_AMOUNT", "-1",                        /not be below zero/],
    ["REDIS_URL",            "redis://a:1,redis://b:1",   /odd number/],
  ];
  for (const [name, value, why] of nonsense) {
    assert.throws(
      () => readConfig({ ...secrets, DEMO_UPSTREAM_URL: demo, [name]: value }),
      (error) => error instanceof Error && error.message.includes(name) && why.test(error.message),
    );
  }
});

test("upstreams come from the file, and a key that it names must be set", () => {
  const file = join(mkdtempSync(join(tmpdir(), "farebox-config-")), "upstreams.yaml");
  writeFileSync(
    file,
    "upstreams:\n  - {name: one, dialect: openai, base_url: http://localhost:1/v1, api_key_env: ONE_KEY}\n",
  );
  assert.throws(
    () => readConfig({ ...secrets, FAREBOX_UPSTREAMS: file }),
    /ONE_KEY \(of upstream one\)/,
  );
  const config = readConfig({ ...secrets, FAREBOX_UPSTREAMS: file, ONE_KEY: "sk-one" });
  assert.equal(config.upstreamKeys.get("ONE_KEY")?.reveal(), "sk-one");
  assert.ok(!JSON.stringify([...config.upstreamKeys]).includes("sk-one"));
});
