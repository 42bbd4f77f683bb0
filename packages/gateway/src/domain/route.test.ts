import assert from "node:assert/strict";
import { test } from "node:test";
import type { Dialect } from "./call.ts";
import { parseUpstreams, UpstreamsError } from "./parse-upstreams.ts";
import { chooseUpstream, createRouteTable } from "./route.ts";

const openai = {
  name: "openai",
  dialect: "openai",
  base_url: "https://api.openai.com/v1/",
  api_key_env: "OPENAI_API_KEY",
  models: ["gpt-*", "o?"],
};
const claude = {
  name: "claude",
  dialect: "anthropic",
  base_url: "https://api.anthropic.com",
  models: ["claude-*"],
  price_provider: "anthropic",
};
const router = {
  name: "router",
  dialect: "openrouter",
  base_url: "https://openrouter.ai/api/v1",
  rename: { "gpt-4o": "openai/gpt-4o" },
};

test("reads the operator's file, with its defaults", () => {
  assert.deepEqual(parseUpstreams({ upstreams: [openai, claude, router] }), [
    {
      name: "openai",
      dialect: "openai",
      origin: "https://api.openai.com",
      basePath: "/v1",
      apiKeyEnv: "OPENAI_API_KEY",
      models: ["gpt-*", "o?"],
      rename: new Map(),
      priceProvider: "openai",
    },
    {
      name: "claude",
      dialect: "anthropic",
      origin: "https://api.anthropic.com",
      basePath: "/v1",
      apiKeyEnv: undefined,
      models: ["claude-*"],
      rename: new Map(),
      priceProvider: "anthropic",
    },
    {
      name: "router",
      dialect: "openrouter",
      origin: "https://openrouter.ai",
      basePath: "/api/v1",
      apiKeyEnv: undefined,
      models: ["*"],
      rename: new Map([["gpt-4o", "openai/gpt-4o"]]),
      priceProvider: "router",
    },
  ]);
});

// biome-ignore format: a table is read by column
const bases: [dialect: string, base: string, origin: string, basePath: string][] = [
  ["openai", "http://127.0.0.1:9000", "http://127.0.0.1:9000", "/v1"],
  ["openai", "https://api.example.com/openai/", "https://api.example.com", "/openai"],
  ["anthropic", "https://api.anthropic.com/v1", "https://api.anthropic.com", "/v1"],
  ["anthropic", "https://proxy.example.com/anthropic", "https://proxy.example.com", "/anthropic/v1"],
];
for (const [dialect, base, origin, basePath] of bases) {
  test(`${base} in ${dialect} means ${origin}${basePath}`, () => {
    const [upstream] = parseUpstreams({ upstreams: [{ name: "u", dialect, base_url: base }] });
    assert.deepEqual([upstream?.origin, upstream?.basePath], [origin, basePath]);
  });
}

test("names every fault of the file at once", () => {
  const document = {
    upstreams: [
      { name: "a b", dialect: "vertex", base_url: "ftp://x", models: [], pirce_provider: "x" },
      7,
      {
        ...openai,
        base_url: "https://user:pass@api.openai.com/v1",
        api_key_env: "not a name",
        rename: { a: 1 },
        models: ["x", 7],
      },
      openai,
    ],
  };
  assert.throws(
    () => parseUpstreams(document),
    (error) => {
      assert.ok(error instanceof UpstreamsError);
      assert.deepEqual(error.faults, [
        "upstreams[0].pirce_provider: is not known",
        "upstreams[0].name: must match ^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        "upstreams[0].dialect: vertex is not served by this release; use openai, anthropic or openrouter",
        "upstreams[0].base_url: must be an http or https URL",
        "upstreams[0].models: must be a list of model names, in which * and ? are wildcards",
        "upstreams[1]: must be a map",
        "upstreams[1].name: is missing",
        "upstreams[1].dialect: must be openai, anthropic or openrouter",
        "upstreams[1].base_url: must be an http or https URL",
        "upstreams[2].base_url: must have no credentials, query or fragment; keys belong in api_key_env",
        "upstreams[2].api_key_env: must match ^[A-Za-z_][A-Za-z0-9_]{0,127}$",
        "upstreams[2].models: must be a list of model names, in which * and ? are wildcards",
        "upstreams[2].rename.a: must be a model name",
        'upstreams: the name "openai" is used twice',
      ]);
      return true;
    },
  );
});

for (const document of [null, [], {}, { upstreams: [] }, { upstreams: "x" }]) {
  test(`a file of ${JSON.stringify(document)} has no upstreams`, () => {
    assert.throws(() => parseUpstreams(document), UpstreamsError);
  });
}

// biome-ignore format: a table is read by column
const routes: [name: string, dialect: Dialect, model: string, forced: string | undefined, want: string | undefined, upstreamModel?: string][] = [
  ["the first upstream that names the model serves it", "openai", "gpt-4o", undefined, "openai", "gpt-4o"],
  ["? stands for one character", "openai", "o3", undefined, "openai", "o3"],
  ["what the first does not name falls to the next", "openai", "o3-mini", undefined, "router", "o3-mini"],
  ["a client may force an upstream, which may rename", "openai", "gpt-4o", "router", "router", "openai/gpt-4o"],
  ["a forced upstream that does not serve the model serves nothing", "openai", "llama", "openai", undefined],
  ["a forced upstream that does not exist serves nothing", "openai", "gpt-4o", "nobody", undefined],
  ["an upstream of another dialect serves nothing", "openai", "claude-opus-4-5", "claude", undefined],
  ["Anthropic's dialect finds Anthropic", "anthropic", "claude-opus-4-5", undefined, "claude", "claude-opus-4-5"],
  ["a dialect without an upstream for the model finds none", "anthropic", "gpt-4o", undefined, undefined],
];
const table = createRouteTable(parseUpstreams({ upstreams: [openai, claude, router] }));
for (const [name, dialect, model, forced, want, upstreamModel] of routes) {
  test(name, () => {
    for (let again = 0; again < 2; again++) {
      const route = chooseUpstream(table, { dialect, model, forced });
      assert.deepEqual([route?.upstream.name, route?.upstreamModel], [want, upstreamModel]);
    }
  });
}

test("invented model names cannot grow the table", () => {
  for (let i = 0; i < 5000; i++)
    chooseUpstream(table, { dialect: "anthropic", model: `m${i}`, forced: undefined });
  assert.ok(table.decided.anthropic.size <= 1024);
});
