import assert from "node:assert/strict";
import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openStack } from "./open-stack.ts";

test("begins nothing once it is told to stop", async () => {
  const home = join(mkdtempSync(join(tmpdir(), "farebox-stop-")), "home");
  const stop = new AbortController();
  stop.abort();
  const opening = openStack({ home, given: {}, log: () => {}, signal: stop.signal });
  await assert.rejects(opening, (error) => error === stop.signal.reason);
  assert(!existsSync(home));
});
