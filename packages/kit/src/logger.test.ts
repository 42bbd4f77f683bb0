import assert from "node:assert/strict";
import { test } from "node:test";
import { Secret } from "./env.ts";
import { createLogger } from "./logger.ts";

const canary = "CANARY7f3a";

function written(log: (logger: ReturnType<typeof createLogger>) => void): string {
  const lines: string[] = [];
  log(createLogger({ name: "test", level: "debug", write: (line) => lines.push(line) }));
  return lines.join("");
}

const keys = [
  "authorization",
  "Authorization",
  "x-api-key",
  "apiKey",
  "x-service-token",
  "serviceToken",
  "cookie",
  "set-cookie",
  "secret",
  "clientSecret",
  "password",
  "dbPassword",
  "token",
  "prompt",
  "messages",
  "content",
  "card",
  "cardNumber",
];

test("values of secret keys never print, at any depth", () => {
  for (const key of keys) {
    const output = written((log) => {
      log.info({ event: "e", [key]: canary });
      log.warn({ event: "e", a: { b: [{ [key]: { deep: canary } }] } });
      log.error({ event: "e", err: new Error("x", { cause: { [key]: canary } }) });
      log.child({ [key]: canary }).debug({ event: "e" });
    });
    assert(!output.includes(canary), key);
    assert(output.includes("[redacted]"), key);
  }
});

test("credentials never print, wherever they stand in a text", () => {
  const texts = [
    `fbx_${canary}abcdef`,
    `sk-${canary}abcdef`,
    `sk-proj-${canary}`,
    `sk_live_${canary}`,
    `Bearer ${canary}`,
    `mysql://root:${canary}@127.0.0.1/x`,
    `redis://:${canary}@127.0.0.1`,
  ];
  for (const text of texts) {
    const output = written((log) => {
      log.info({ event: "e", note: `see ${text} there` });
      log.info({ event: "e", err: new Error(`failed with ${text}`) });
    });
    assert(!output.includes(canary), text);
  }
});

test("a Secret prints as [redacted]", () => {
  const output = written((log) => log.info({ event: "e", key: new Secret(canary) }));
  assert(!output.includes(canary) && output.includes("[redacted]"));
});

test("facts of an event print: counts of tokens, amounts, ids", () => {
  const output = written((log) =>
    log.info({ event: "quota.deducted", inputTokens: 12, chargeNanos: 70n, requestId: "task-1" }),
  );
  const line = JSON.parse(output);
  assert.deepEqual(
    [line.event, line.inputTokens, line.chargeNanos, line.requestId, line.level, line.service],
    ["quota.deducted", 12, "70", "task-1", "info", "test"],
  );
});

test("lines are bounded, whatever is logged", () => {
  const loop: Record<string, unknown> = { text: "x".repeat(1e6), many: new Array(1e5).fill(1) };
  loop.self = loop;
  const output = written((log) => log.info({ event: "e", loop }));
  assert(output.length < 100_000, String(output.length));
});
