import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { claimPort } from "../src/claim-port.ts";

const module = new URL("../src/claim-port.ts", import.meta.url).href;

test("two stacks that start at once get different ports, though neither listens yet", async () => {
  const from = await claimPort(20_000);
  const script = `import { claimPort } from ${JSON.stringify(module)}; console.log(await claimPort(${from}));`;
  const other = execFileSync(process.execPath, ["--input-type=module", "-e", script]);
  assert(Number(other) > from);
});

test("the claim of a process that died is taken over", async () => {
  const script = `import { claimPort } from ${JSON.stringify(module)}; console.log(await claimPort(20000));`;
  const died = Number(execFileSync(process.execPath, ["--input-type=module", "-e", script]));
  assert.equal(await claimPort(died), died);
});

test("one process never gets a port twice", async () => {
  const first = await claimPort(20_000);
  assert.notEqual(await claimPort(first), first);
});
