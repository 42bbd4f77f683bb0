import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeClock } from "../testing/clock.ts";
import { createLogger } from "./logger.ts";
import { createMetrics } from "./metrics.ts";
import { type Job, startJobs } from "./start-jobs.ts";

function harness() {
  const clock = fakeClock();
  const lines: string[] = [];
  const metrics = createMetrics();
  const log = createLogger({ name: "test", write: (line) => lines.push(line) });
  const runs = async (job: string, outcome: string) => {
    const { values } = (await metrics.registry.getSingleMetric("job_runs_total")?.get()) ?? {
      values: [],
    };
    return (
      values.find(({ labels }) => labels.job === job && labels.outcome === outcome)?.value ?? 0
    );
  };
  return {
    clock,
    lines,
    runs,
    start: (jobs: readonly Job[]) => startJobs({ clock, log, metrics }, jobs),
  };
}

test("runs each job at once and then every period", async () => {
  const { clock, start, runs } = harness();
  const counts = { fast: 0, slow: 0 };
  const count = (job: keyof typeof counts) => async () => {
    counts[job] += 1;
  };
  await using _jobs = start([
    { name: "fast", periodMs: 10, run: count("fast") },
    { name: "slow", periodMs: 100, run: count("slow") },
  ]);
  await clock.advance(100);
  assert.deepEqual(counts, { fast: 11, slow: 2 });
  assert.deepEqual([await runs("fast", "ok"), await runs("slow", "ok")], [11, 2]);
});

test("never runs a job twice at a time", async () => {
  const { clock, start } = harness();
  let running = 0;
  let runs = 0;
  const gate = Promise.withResolvers<void>();
  await using _jobs = start([
    {
      name: "long",
      periodMs: 10,
      run: async () => {
        runs += 1;
        running += 1;
        assert.equal(running, 1);
        await gate.promise;
        running -= 1;
      },
    },
  ]);
  await clock.advance(1_000);
  assert.equal(runs, 1);
  gate.resolve();
  await clock.advance(10);
  assert.equal(runs, 2);
});

test("goes on after a run that fails, and says so", async () => {
  const { clock, lines, start, runs } = harness();
  let ran = 0;
  await using _jobs = start([
    {
      name: "fragile",
      periodMs: 10,
      run: async () => {
        ran += 1;
        if (ran === 1) throw new Error("no luck");
      },
    },
  ]);
  await clock.advance(10);
  assert.deepEqual([ran, await runs("fragile", "failed"), await runs("fragile", "ok")], [2, 1, 1]);
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? "", /"job\.failed".*"fragile".*no luck/);
});

test("waits at its end for the run in progress, and starts no other", async () => {
  const { clock, start } = harness();
  const gate = Promise.withResolvers<void>();
  const seen: string[] = [];
  const jobs = start([
    {
      name: "long",
      periodMs: 10,
      run: async (signal) => {
        seen.push("began");
        await gate.promise;
        seen.push(signal.aborted ? "ended at shutdown" : "ended");
      },
    },
  ]);
  const ended = jobs[Symbol.asyncDispose]().then(() => seen.push("disposed"));
  gate.resolve();
  await ended;
  await clock.advance(100);
  assert.deepEqual(seen, ["began", "ended at shutdown", "disposed"]);
});
