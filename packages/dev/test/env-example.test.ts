import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { envExample, envExampleFile } from "../src/env-example.ts";

test(".env.example lists what the services read (npm run gen writes it)", () => {
  assert.equal(readFileSync(envExampleFile, "utf8"), envExample());
});

test(".env.example shows no secret", () => {
  for (const line of envExample().split("\n")) {
    if (/^(?:# )?\w*(?:TOKEN|KEY|SECRET|PEPPER)\w*=/.test(line)) assert.match(line, /=$/);
  }
});
