import assert from "node:assert/strict";
import { test } from "node:test";
import { readAnswer } from "../domain/usage.ts";
import { readPlainAnswer } from "./read-plain-answer.ts";

const usage = '"usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12}';
const said = (text: string) => `"choices":[{"message":{"content":${JSON.stringify(text)}}}]`;

// biome-ignore format: a table is read by column
const bodies: [name: string, body: string, isOrdinary: boolean][] = [
  ["an ordinary answer", `{"id":"c1",${said("hi")},${usage},"service_tier":"default"}`, true],
  ["a text that speaks of usage", `{"id":"c1",${said('"usage":{"prompt_tokens":9}')},${usage}}`, true],
  ["another order of members", `{${usage},"id":"c1",${said("hi")}}`, false],
  ["usage before the text", `{"id":"c1",${usage},${said('say "usage"')}}`, true],
  ["usage within something else", `{"id":"c1",${said("hi")},"x":{${usage}}}`, false],
  ["usage at both levels", `{"id":"c1",${usage},"x":{"usage":{"prompt_tokens":1,"completion_tokens":1}}}`, false],
  ["no usage", `{"id":"c1",${said("hi")}}`, false],
  ["an empty usage", `{"id":"c1",${said("hi")},"usage":null}`, false],
  ["an id with an escape", `{"id":"c\\u0031",${said("hi")},${usage}}`, false],
  ["a body that is cut", `{"id":"c1",${said("hi")},"usage":{"prompt_tok`, false],
  ["a page of HTML", "<html>", false],
];

for (const [name, body, isOrdinary] of bodies) {
  test(`reads ${name} as a whole parse would`, () => {
    const bytes = Buffer.from(body);
    const { usage, upstreamId } = readAnswer("openai", bytes);
    assert.deepEqual(readPlainAnswer("openai", bytes), { usage, upstreamId, isOrdinary });
  });
}
