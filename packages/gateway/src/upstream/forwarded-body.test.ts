import assert from "node:assert/strict";
import { test } from "node:test";
import type { ParsedCall } from "../domain/call.ts";
import type { LimitDecision } from "../domain/limit.ts";
import { forwardedBody } from "./forwarded-body.ts";
import { readCall } from "./read-call.ts";

function parsed(body: string, dialect: ParsedCall["dialect"] = "openai"): ParsedCall {
  const read = readCall(dialect, Buffer.from(body));
  return read.kind === "call" ? read.call : assert.fail(read.message);
}
const asIs: LimitDecision = { kind: "as-is" };
const clamp = (field: "max_tokens" | "max_completion_tokens"): LimitDecision => ({
  kind: "clamp",
  field,
  value: 64,
});

// biome-ignore format: a table is read by column
const cases: [name: string, body: string, limit: LimitDecision, upstreamModel: string, want: string][] = [
  ["asks for the usage of a stream", '{"model":"m","stream":true}', asIs, "m", '{"model":"m","stream":true,"stream_options":{"include_usage":true}}'],
  ["merges into the client's stream options", '{"model":"m","stream":true,"stream_options":{ "include_obfuscation":false,"include_usage":false }}', asIs, "m", '{"model":"m","stream":true,"stream_options":{ "include_obfuscation":false,"include_usage":true }}'],
  ["adds to stream options without a usage", '{"model":"m","stream":true,"stream_options":{"big":12345678901234567890}}', asIs, "m", '{"model":"m","stream":true,"stream_options":{"big":12345678901234567890,"include_usage":true}}'],
  ["replaces stream options that are null", '{"model":"m","stream":true,"stream_options":null}', asIs, "m", '{"model":"m","stream":true,"stream_options":{"include_usage":true}}'],
  ["lowers the client's limit in its own field", '{"model":"m","max_completion_tokens":900}', clamp("max_completion_tokens"), "m", '{"model":"m","max_completion_tokens":64}'],
  ["adds a limit", '{"model":"m"}', clamp("max_tokens"), "m", '{"model":"m","max_tokens":64}'],
  ["replaces a limit that is null", '{"model":"m","max_tokens":null}', clamp("max_tokens"), "m", '{"model":"m","max_tokens":64}'],
  ["renames the model", '{"model":"m"}', asIs, 'maker/"m"', '{"model":"maker/\\"m\\""}'],
  ["does all at once", '{"model":"m","stream":true,"max_tokens":900}', clamp("max_tokens"), "x", '{"model":"x","stream":true,"max_tokens":64,"stream_options":{"include_usage":true}}'],
];
for (const [name, body, limit, upstreamModel, want] of cases) {
  test(name, () => {
    assert.equal(forwardedBody(parsed(body), { limit, upstreamModel }).toString(), want);
  });
}

test("a call that needs no change goes on as the very buffer it came in", () => {
  const bodies = [
    parsed('{"model":"m"}'),
    parsed('{"model":"m","stream":true,"stream_options":{"include_usage":true}}'),
    parsed('{"model":"m","stream":true,"max_tokens":9}', "anthropic"),
  ];
  for (const call of bodies) {
    assert.equal(forwardedBody(call, { limit: asIs, upstreamModel: "m" }), call.body);
  }
});
