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
