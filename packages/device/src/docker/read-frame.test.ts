import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import { followSamples } from "./follow-samples.ts";
import { readFrame } from "./read-frame.ts";

const read = "2026-11-28T07:00:00.5Z";
const readMs = Date.parse(read);
const cpu = (total_usage: unknown) => ({ cpu_stats: { cpu_usage: { total_usage } } });
const none = {
  ...{ memoryBytes: undefined, sentBytes: undefined, receivedBytes: undefined },
  ...{ readBytes: undefined, writtenBytes: undefined },
};

describe("an answer says nothing", () => {
  for (const [name, frame] of [
    ["when it is empty", {}],
    ["when it is no object", "x"],
    ["for a stopped container", { read: "0001-01-01T00:00:00Z", ...cpu(0) }],
    ["with zeros of a running one (gVisor)", { read, ...cpu(0) }],
    ["without any figures", { read }],
    ["with a figure that is none", { read, ...cpu("5") }],
    ["with a negative figure", { read, ...cpu(-5) }],
    ["without a time", cpu(5)],
  ] as const) {
    it(name, () => assert.equal(readFrame(frame), undefined));
  }
});

describe("an answer is read", () => {
  const of = (more: object) => readFrame({ read, ...cpu(7), ...more });
  const base = { readMs, cpuNanoseconds: 7n, ...none };
  // biome-ignore format: a table is read by column
  const cases: [name: string, more: object, want: object][] = [
    ["with time of cores alone",                   {}, {}],
    ["whatever system and previous figures say",   { precpu_stats: cpu(99), cpu_stats: { system_cpu_usage: 1, cpu_usage: { total_usage: 7 } } }, {}],
    ["without its file cache, by cgroup v1",       { memory_stats: { usage: 100, stats: { total_inactive_file: 30, inactive_file: 1 } } }, { memoryBytes: 70n }],
    ["without its file cache, by cgroup v2",       { memory_stats: { usage: 100, stats: { inactive_file: 30 } } }, { memoryBytes: 70n }],
    ["with all of it, where the cache is larger",  { memory_stats: { usage: 100, stats: { inactive_file: 101 } } }, { memoryBytes: 100n }],
    ["as unknown, where no cache is told (Podman)", { memory_stats: { usage: 100, stats: null } }, {}],
    ["with traffic over all interfaces",           { networks: { eth0: { tx_bytes: 5, rx_bytes: 6 }, eth1: { tx_bytes: 10, rx_bytes: 1 } } }, { sentBytes: 15n, receivedBytes: 7n }],
    ["with both directions swapped back (Podman)", { networks: { network: { tx_bytes: 5, rx_bytes: 6 } } }, { sentBytes: 6n, receivedBytes: 5n }],
    ["without traffic on the host's network",      { networks: undefined }, {}],
    ["with traffic of nothing",                    { networks: {} }, { sentBytes: 0n, receivedBytes: 0n }],
    ["with device traffic, in bytes alone",        { blkio_stats: { io_service_bytes_recursive: [{ op: "Read", value: 3 }, { op: "write", value: 4 }, { op: "rios", value: 9 }, { op: "read", value: 1 }] } }, { readBytes: 4n, writtenBytes: 4n }],
    ["without device traffic (cgroup v2)",         { blkio_stats: { io_service_bytes_recursive: null } }, {}],
  ];
  for (const [name, more, want] of cases) {
    it(name, () => assert.deepEqual(of(more), { ...base, ...want }));
  }
});

describe("a stream of answers", () => {
  const line = (total: number) => `${JSON.stringify({ read, ...cpu(total) })}\n`;
  const turn = () => new Promise((resolve) => setImmediate(resolve));

  it("is read across chunks, and keeps the latest two", async () => {
    const source = new PassThrough();
    const stream = followSamples(Promise.resolve(source));
    await turn();
    const bytes = line(1) + line(2) + line(3);
    source.write(bytes.slice(0, 40));
    source.write(bytes.slice(40, -10));
    await turn();
    assert.deepEqual(
      stream.take().samples.map((it) => it.cpuNanoseconds),
      [1n, 2n],
    );
    source.write(bytes.slice(-10));
    await turn();
    assert.deepEqual(
      stream.take().samples.map((it) => it.cpuNanoseconds),
      [3n],
    );
    assert.deepEqual(stream.take(), { samples: [], zeros: 0 });
  });

  it("counts answers that say nothing, and survives what is no JSON", async () => {
    const source = new PassThrough();
    const stream = followSamples(Promise.resolve(source));
    await turn();
    source.write(`{"read":"0001-01-01T00:00:00Z"}\n{broken\n`);
    await turn();
    assert.deepEqual(stream.take(), { samples: [], zeros: 2 });
  });

  it("ends with its source, with a source that never came, and with a line without end", async () => {
    const source = new PassThrough();
    const ended = followSamples(Promise.resolve(source));
    const failed = followSamples(Promise.reject(new Error("no such container")));
    const endless = new PassThrough();
    const cut = followSamples(Promise.resolve(endless));
    await turn();
    source.end();
    source.resume();
    endless.write("x".repeat(2 << 20));
    await turn();
    await turn();
    assert.deepEqual([ended.hasEnded, failed.hasEnded, cut.hasEnded], [true, true, true]);
    assert.equal(endless.destroyed, true);
  });

  it("lets go of its source when it is disposed of, even one that opens later", async () => {
    const source = new PassThrough();
    const opening = Promise.withResolvers<PassThrough>();
    followSamples(opening.promise)[Symbol.dispose]();
    opening.resolve(source);
    await turn();
    assert.equal(source.destroyed, true);
  });
});
