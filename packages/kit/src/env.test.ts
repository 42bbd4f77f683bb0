import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import {
  bool,
  durationMs,
  durationMsFrom,
  type EnvParser,
  enumOf,
  int,
  list,
  nanos,
  port,
  readEnv,
  renderEnvExample,
  Secret,
  secretText,
  text,
  url,
} from "./env.ts";

const table = {
  host: { name: "T_HOST", parse: text, default: "127.0.0.1", doc: "Where to listen." },
  port: { name: "T_PORT", parse: port, default: "50051", doc: "Port." },
  token: { name: "T_TOKEN", parse: secretText, required: true, secret: true, doc: "A token." },
  mode: { name: "T_MODE", parse: enumOf("always", "off"), default: "always", doc: "Mode." },
  extra: { name: "T_EXTRA", parse: int(1, 9), doc: "Optional." },
} as const;

test("reads defaults, what is set, and whether a port was asked for", () => {
  const values = readEnv(table, { T_TOKEN: "t", T_HOST: "" });
  assert.deepEqual(
    [values.host, values.port, values.mode, values.extra],
    ["127.0.0.1", { port: 50_051, explicit: false }, "always", undefined],
  );
  assert.deepEqual(readEnv(table, { T_TOKEN: "t", T_PORT: "50051" }).port, {
    port: 50_051,
    explicit: true,
  });
  assert(Object.isFrozen(values));
});

test("one error names every faulty variable, and no secret", () => {
  assert.throws(
    () => readEnv(table, { T_MODE: "maybe", T_EXTRA: "12", T_PORT: "x" }),
    (error: Error) =>
      ["T_MODE", "T_EXTRA", "T_PORT", "T_TOKEN"].every((name) => error.message.includes(name)),
  );
  const fails: EnvParser<string> = () => {
    throw new Error("is too weak");
  };
  const weak = { key: { name: "T_KEY", parse: fails, secret: true, doc: "" } } as const;
  assert.throws(
    () => readEnv(weak, { T_KEY: "hunter2" }),
    (error: Error) => error.message.includes("T_KEY") && !error.message.includes("hunter2"),
  );
});

test("a secret prints as [redacted] everywhere but through reveal", () => {
  const { token } = readEnv(table, { T_TOKEN: "hunter2" });
  assert.equal(token.reveal(), "hunter2");
  const printed = [String(token), `${token}`, JSON.stringify({ token }), inspect({ token })];
  assert(printed.every((line) => line.includes("[redacted]") && !line.includes("hunter2")));
  assert(token instanceof Secret);
});

// biome-ignore format: a decision table is read by column
const parsed: [name: string, parse: EnvParser<unknown>, text: string, want: unknown][] = [
  ["milliseconds",     durationMs,       "500ms",             500],
  ["seconds",          durationMs,       "5s",                5000],
  ["minutes",          durationMs,       "2m",                120_000],
  ["no unit",          durationMs,       "5",                 undefined],
  ["a foreign unit",   durationMs,       "5y",                undefined],
  ["what a timer holds", durationMs,     "24d",               2_073_600_000],
  ["what it does not", durationMs,       "25d",               undefined],
  ["the least time",   durationMsFrom("1s"), "1000ms",        1000],
  ["less than that",   durationMsFrom("1s"), "999ms",         undefined],
  ["yes",              bool,             "yes",               true],
  ["OFF",              bool,             "OFF",               false],
  ["perhaps",          bool,             "perhaps",           undefined],
  ["an integer",       int(-5, 5),       "-5",                -5],
  ["above the range",  int(-5, 5),       "6",                 undefined],
  ["a fraction",       int(-5, 5),       "1.5",               undefined],
  ["hex",              int(0, 99),       "0x10",              undefined],
  ["a port too high",  port,             "65536",             undefined],
  ["a list",           list(int(0, 9)),  "1, 2,,3",           [1, 2, 3]],
  ["a faulty list",    list(int(0, 9)),  "1,x",               undefined],
  ["a URL",            url,              "mysql://a@b:1/c",   "mysql://a@b:1/c"],
  ["no URL",           url,              "nonsense",          undefined],
  ["money",            nanos,            "0.05",              50_000_000n],
  ["money too fine",   nanos,            "0.0000000001",      undefined],
];

for (const [name, parse, value, want] of parsed) {
  test(`${want === undefined ? "refuses" : "reads"} ${name}`, () => {
    if (want === undefined) assert.throws(() => parse(value, false));
    else assert.deepEqual(parse(value, false), want);
  });
}

test("the example file lists every variable with its sentence, secrets empty", () => {
  const example = renderEnvExample({ Test: table });
  assert.equal(
    example,
    `## Test

# Where to listen.
T_HOST=127.0.0.1

# Port.
T_PORT=50051

# A token.
T_TOKEN=

# Mode.
T_MODE=always

# Optional.
# T_EXTRA=
`,
  );
});
