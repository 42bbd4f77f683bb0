import assert from "node:assert/strict";
import { test } from "node:test";
import { parseUpstreams } from "../domain/parse-upstreams.ts";
import { createRouteTable } from "../domain/route.ts";
import { listModels, modelBody, modelListBody } from "./models.ts";

const table = createRouteTable(
  parseUpstreams({
    upstreams: [
      {
        name: "openai",
        dialect: "openai",
        base_url: "https://api.openai.com/v1",
        models: ["gpt-*"],
        rename: { "gpt-best": "gpt-5" },
      },
      {
        name: "router",
        dialect: "openrouter",
        base_url: "https://openrouter.ai/api/v1",
        models: ["*/*", "gpt-4o"],
      },
      {
        name: "claude",
        dialect: "anthropic",
        base_url: "https://api.anthropic.com",
        models: ["claude-*"],
        price_provider: "anthropic",
      },
    ],
  }),
);
const priced = [
  { provider: "openai", model: "gpt-5", createdSec: 1_754_000_000 },
  { provider: "openai", model: "gpt-4o" },
  { provider: "openai", model: "dall-e-3" },
  { provider: "router", model: "gpt-4o" },
  { provider: "router", model: "meta/llama-4" },
  { provider: "anthropic", model: "claude-opus-4-5" },
  { provider: "claude", model: "claude-haiku-4-5" },
];

test("lists what is priced where its route leads, once, under the client's names", () => {
  assert.deepEqual(listModels(table, "openai", priced), [
    { id: "gpt-4o", ownedBy: "openai", createdSec: 0 },
    { id: "gpt-5", ownedBy: "openai", createdSec: 1_754_000_000 },
    { id: "gpt-best", ownedBy: "openai", createdSec: 1_754_000_000 },
    { id: "meta/llama-4", ownedBy: "router", createdSec: 0 },
  ]);
  assert.deepEqual(listModels(table, "anthropic", priced), [
    { id: "claude-opus-4-5", ownedBy: "claude", createdSec: 0 },
  ]);
});

test("writes the list as each dialect's SDK reads it", () => {
  const models = [{ id: "b", ownedBy: "x", createdSec: 1_754_000_000 }];
  assert.deepEqual(JSON.parse(modelListBody("openai", models).toString()), {
    object: "list",
    data: [{ id: "b", object: "model", created: 1_754_000_000, owned_by: "x" }],
  });
  assert.deepEqual(JSON.parse(modelListBody("anthropic", models).toString()), {
    data: [{ type: "model", id: "b", display_name: "b", created_at: "2025-07-31T22:13:20.000Z" }],
    has_more: false,
    first_id: "b",
    last_id: "b",
  });
  assert.deepEqual(JSON.parse(modelListBody("anthropic", []).toString()), {
    data: [],
    has_more: false,
    first_id: null,
    last_id: null,
  });
});

test("writes one model as each dialect's SDK reads it", () => {
  const model = { id: "b", ownedBy: "x", createdSec: 0 };
  assert.deepEqual(JSON.parse(modelBody("openai", model).toString()), {
    id: "b",
    object: "model",
    created: 0,
    owned_by: "x",
  });
  assert.deepEqual(JSON.parse(modelBody("anthropic", model).toString()), {
    type: "model",
    id: "b",
    display_name: "b",
    created_at: "1970-01-01T00:00:00.000Z",
  });
});
