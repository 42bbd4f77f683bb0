import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Dialect } from "../src/domain/call.ts";
import type { AttemptOutcome } from "../src/interceptor/billed-call.ts";
import { call, callBody } from "./support/call.ts";
import { type ProxyUnderTest, startProxy } from "./support/proxy-under-test.ts";
import {
  type Script,
  type ScriptedUpstream,
  startScriptedUpstream,
} from "./support/scripted-upstream.ts";
import {
  answerTokens,
  plainBody,
  promptTokens,
  sendEvents,
  sendPlain,
  streamEvents,
} from "./support/scripts.ts";

let upstream: ScriptedUpstream;
let proxy: ProxyUnderTest;
before(async () => {
  upstream = await startScriptedUpstream();
  proxy = await startProxy(upstream);
});
after(async () => {
  await proxy[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

type Charged = "reported" | "estimated" | "partial" | "nothing";
type Row = readonly [
  name: string,
  script: Script,
  state: AttemptOutcome["state"],
  charged: Charged,
  client: "whole" | "passed-on error" | "502" | "error event",
];

const reset: Script = (res) => void res.destroy();
const upTo = (events: readonly string[], count: number) => events.slice(0, count);

/** The table of docs/request-path.md for answers that are streamed. */
function streamRows(dialect: Dialect): readonly Row[] {
  const events = streamEvents(dialect);
  const silent = streamEvents(dialect, { usage: null });
  const beforeText = dialect === "openai" ? 0 : 2;
  const known: Charged = dialect === "openai" ? "estimated" : "partial";
  // biome-ignore format: a table is read by column
  return [
    ["charges what a whole stream reports", sendEvents(events), "succeeded", "reported", "whole"],
    ["estimates a whole stream that reports nothing", sendEvents(silent), "succeeded", "estimated", "whole"],
    ["charges nothing when the connection breaks before the head", reset, "failed", "nothing", "502"],
    ["charges nothing when a stream breaks before any token", sendEvents(upTo(events, beforeText), "cut"), "failed", "nothing", "error event"],
    ["charges prompt and delivery when a stream breaks midway", sendEvents(upTo(events, beforeText + 2), "cut"), "failed", known, "error event"],
    ["charges what was reported when a stream breaks after its usage", sendEvents(events.slice(0, -1), "cut"), "failed", "reported", "error event"],
    ["charges prompt and delivery when a stream turns into an error", sendEvents([...upTo(events, beforeText + 2), errorEvent(dialect)]), "failed", known, "passed-on error"],
    ["charges nothing when a stream is nothing but an error", sendEvents([errorEvent(dialect)]), "failed", "nothing", "passed-on error"],
    ["passes a refusal on as it came, free of charge", sendPlain('{"error":{"message":"slow down"}}', 429), "failed", "nothing", "passed-on error"],
  ];
}

/** The same for plain answers. */
function plainRows(dialect: Dialect): readonly Row[] {
  const body = plainBody(dialect);
  const cutBody: Script = (res) => {
    res.writeHead(200, { "content-type": "application/json", "content-length": body.length });
    res.write(body.slice(0, body.length / 2), () => res.destroy());
  };
  // biome-ignore format: a table is read by column
  return [
    ["charges what a plain answer reports", sendPlain(body), "succeeded", "reported", "whole"],
    ["estimates a plain answer that reports nothing", sendPlain(plainBody(dialect, null)), "succeeded", "estimated", "whole"],
    ["charges nothing when the connection breaks before the head", reset, "failed", "nothing", "502"],
    ["charges nothing when a plain answer is cut, as nothing of it was delivered", cutBody, "failed", "nothing", "502"],
    ["estimates an answer that ends inside its JSON", sendPlain(body.slice(0, 150)), "failed", "estimated", "passed-on error"],
    ["charges nothing for an error that ends inside its JSON", sendPlain('{"error":{"message":"oo'), "failed", "nothing", "passed-on error"],
    ["charges nothing for a 200 that is an error", sendPlain('{"error":{"message":"oops"}}'), "failed", "nothing", "passed-on error"],
    ["passes a refusal on as it came, free of charge", sendPlain('{"error":{"message":"slow down"}}', 429), "failed", "nothing", "passed-on error"],
    ["reads an answer whatever its content type", sendPlain(body, 200, "text/plain"), "succeeded", "reported", "whole"],
  ];
}

for (const dialect of ["openai", "anthropic"] as const) {
  for (const isStream of [true, false]) {
    const rows = isStream ? streamRows(dialect) : plainRows(dialect);
    for (const row of rows) {
      test(`${dialect} ${isStream ? "stream" : "plain"}: ${row[0]}`, () =>
        check(dialect, isStream, row));
    }
  }
}

test("an answer that ends inside its JSON is charged for its text, and not for the envelope around it", async () => {
  for (const dialect of ["openai", "anthropic"] as const) {
    const body = plainBody(dialect);
    const outputs: number[] = [];
    // Cut within the text, after it, and before it.
    for (const end of ["is paid", "paid.", '"The']) {
      upstream.script = sendPlain(
        body.slice(0, body.indexOf(end) + (end === '"The' ? 0 : end.length)),
      );
      const settled = proxy.settled.length;
      await call(proxy.url, dialect, callBody(false));
      await proxy.settledCount(settled + 1);
      const { outcome } = proxy.settled[settled] ?? assert.fail("nothing was settled");
      assert.deepEqual([outcome.state, outcome.usageSource], ["failed", "estimated"]);
      outputs.push(outcome.usage.outputTokens);
    }
    // "The fare is paid" has four tokens, and its full stop is a fifth.
    assert.deepEqual(outputs, [4, 5, 0]);
  }
});

async function check(dialect: Dialect, isStream: boolean, row: Row): Promise<void> {
  const [, script, state, charged, client] = row;
  upstream.script = script;
  const settledBefore = proxy.settled.length;
  const before = proxy.availableNanos;
  const answer = await call(proxy.url, dialect, callBody(isStream));
  await proxy.settledCount(settledBefore + 1);
  const { outcome } = proxy.settled[settledBefore] ?? assert.fail("nothing was settled");
  const { inputTokens, outputTokens } = outcome.usage;
  const source = {
    reported: "provider",
    estimated: "estimated",
    partial: "partial",
    nothing: "none",
  } as const;
  assert.deepEqual([outcome.state, outcome.usageSource], [state, source[charged]]);
  if (charged === "reported")
    assert.deepEqual([inputTokens, outputTokens], [promptTokens, answerTokens]);
  if (charged === "nothing") assert.deepEqual([inputTokens, outputTokens], [0, 0]);
  if (charged === "partial") assert.equal(inputTokens, promptTokens);
  if (charged === "estimated") assert.ok(inputTokens > 5 && inputTokens < 30, `${inputTokens}`);
  if (charged === "estimated" || charged === "partial") {
    assert.ok(outputTokens > 0 && outputTokens < 70, `${outputTokens}`);
  }
  // What is not charged has returned to the account.
  const cost = BigInt(inputTokens * 2000 + outputTokens * 10_000);
  assert.equal(proxy.availableNanos, before - cost);
  assert.equal(
    answer.headers["x-farebox-request-id"],
    proxy.settled[settledBefore]?.call.requestId,
  );
  if (client === "502") assert.equal(answer.status, 502);
  if (client === "error event") assert.match(answer.text, /UPSTREAM_UNAVAILABLE/);
  if (client === "whole" && isStream) {
    assert.ok(answer.text.endsWith(streamEvents(dialect).at(-1) ?? "never"));
  }
  assert.deepEqual(proxy.failures, []);
}

function errorEvent(dialect: Dialect): string {
  return dialect === "openai"
    ? 'data: {"error":{"message":"overloaded","type":"server_error"}}\n\n'
    : 'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"overloaded"}}\n\n';
}
