import assert from "node:assert/strict";
import { test } from "node:test";
import { type ExcessRight, findExcessRight, type KeyRights } from "./key-rights.ts";

const whole: KeyRights = {
  scopes: ["INFERENCE", "BILLING_READ", "BILLING_WRITE"],
  allowedModels: [],
  expireTimeMs: undefined,
};
const narrow: KeyRights = { ...whole, allowedModels: ["gpt-4o*", "o?"], expireTimeMs: 1000 };
const models = (...allowedModels: string[]) => ({ allowedModels });
const tooManyModels = { kind: "allowed_models" } as const;
const tooLong = { kind: "expire_time", endMs: 1000 } as const;

// biome-ignore format: a decision table is read by column
const cases: [name: string, maker: KeyRights, wanted: Partial<KeyRights>, want: ExcessRight | undefined][] = [
  ["lets a whole key make another",           whole,  {},                           undefined],
  ["lets a whole key make a narrow one",      whole,  narrow,                       undefined],
  ["lets a narrow key make its equal",        narrow, narrow,                       undefined],
  ["lets it make a narrower one",             narrow, { scopes: [], ...models("gpt-4o-mini", "o1"), expireTimeMs: 999 }, undefined],
  ["refuses a scope it does not hold",        whole,  { scopes: ["DEVICE"] },       { kind: "scope", scope: "DEVICE" }],
  ["names the scope before anything else",    narrow, { ...whole, scopes: ["ADMIN"] }, { kind: "scope", scope: "ADMIN" }],
  ["refuses every model",                     narrow, models(),                     tooManyModels],
  ["refuses another model",                   narrow, models("gpt-4o", "claude-3"), tooManyModels],
  ["refuses a wider pattern",                 narrow, models("gpt-4*"),             tooManyModels],
  ["lets no run of characters pass for one",  narrow, models("o*"),                 tooManyModels],
  ["lets a pattern pass for itself",          narrow, models("o?"),                 undefined],
  ["takes a lone star for every model",       { ...narrow, ...models("o1", "*") }, models(), undefined],
  ["refuses a key that never ends",           narrow, { expireTimeMs: undefined },  tooLong],
  ["refuses a key that ends later",           narrow, { expireTimeMs: 1001 },       tooLong],
];

for (const [name, maker, wanted, want] of cases) {
  test(name, () => assert.deepEqual(findExcessRight(maker, { ...maker, ...wanted }), want));
}
