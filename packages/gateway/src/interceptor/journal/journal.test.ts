import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import {
  appendCheckpoint,
  appendIntent,
  appendOutcome,
  attemptNumber,
  journalDirectory,
  outcomesOnDisk,
  smallJournal,
} from "../../../testing/journal.ts";
import { Journal } from "./journal.ts";
import { JournalError } from "./journal-error.ts";
import type { JournalFiles } from "./journal-parts.ts";
import { recordHeaderBytes, recordType, soundRecordEnd } from "./journal-record.ts";
import { openJournal } from "./open-journal.ts";
import { listSegments, segmentPath } from "./segment.ts";

const writer = fileURLToPath(new URL("../../../testing/journal-writer.ts", import.meta.url));

test("every outcome that resolved before a kill -9 is there exactly once, and no attempt is left open", async (t) => {
  const directory = journalDirectory(t);
  const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
  t.diagnostic(`SEED=${seed}`);
  let random = seed;
  const resolved = new Set<number>();
  for (let round = 0; round < 6; round++) {
    random = (random * 1103515245 + 12345) & 0x7fffffff;
    const linesWanted = 1 + (random % 3000);
    const child = spawn(process.execPath, [writer, directory, String(round * 1_000_000)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let text = "";
    let lines = 0;
    child.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      for (const byte of chunk) if (byte === 10) lines++;
      if (lines >= linesWanted) child.kill("SIGKILL");
    });
    await once(child, "close");
    for (const line of text.split("\n").slice(0, -1)) resolved.add(Number(line));
  }
  const { journal } = await openJournal(smallJournal(directory));
  const outcomes = (await outcomesOnDisk(directory)).map((item) => ({
    attempt: attemptNumber(item),
    cost: item.costNanos,
    state: item.state,
  }));
  assert.equal(new Set(outcomes.map(({ attempt }) => attempt)).size, outcomes.length, "once each");
  const written = new Map(outcomes.map((outcome) => [outcome.attempt, outcome]));
  for (const attempt of resolved) {
    assert.deepEqual(written.get(attempt), { attempt, cost: BigInt(attempt), state: 1 });
  }
  assert.ok(resolved.size >= 6, "the rounds resolved outcomes");
  for (const { attempt, cost, state } of outcomes) {
    if (attempt % 7 === 3) assert.deepEqual({ cost, state }, { cost: BigInt(attempt), state: 4 });
  }
  await journal.close();
});

test("a tail cut at any byte of the last record loses that record alone", async (t) => {
  const directory = journalDirectory(t);
  const { journal } = await openJournal(smallJournal(directory));
  const first = appendIntent(journal, 1);
  await appendOutcome(journal, 1, 10n, first);
  const second = appendIntent(journal, 2);
  const checkpointed = appendCheckpoint(journal, 2, 5n, second);
  await journal.durable();
  await appendOutcome(journal, 2, 20n, checkpointed);
  const path = segmentPath(directory, 1);
  const bytes = readFileSync(path);
  const { start, end } = lastRecord(bytes);
  for (let cut = start; cut < end; cut++) {
    for (const isZeroed of [false, true]) {
      const copy = copyOf(directory);
      const copied = segmentPath(copy, 1);
      truncateSync(copied, cut);
      if (isZeroed) truncateSync(copied, bytes.length);
      const reopened = await openJournal(smallJournal(copy));
      assert.equal(reopened.interruptedCount, 1);
      const costs = (await outcomesOnDisk(copy)).map((item) => [
        attemptNumber(item),
        item.costNanos,
      ]);
      assert.deepEqual(costs, [
        [1, 10n],
        [2, 5n],
      ]);
      await reopened.journal.close();
      rmSync(copy, { recursive: true });
    }
  }
  await journal.close();
});

test("damage to durable bytes refuses to open, naming file and offset, and leaves the file as it was", async (t) => {
  const directory = journalDirectory(t);
  const { journal } = await openJournal(smallJournal(directory));
  for (let n = 1; n <= 600; n++)
    await appendOutcome(journal, n, BigInt(n), appendIntent(journal, n));
  const sequences = await listSegments(directory);
  assert.ok(sequences.length >= 3, "several segments were written");
  for (const sequence of sequences.slice(0, 2)) {
    const copy = copyOf(directory);
    const path = segmentPath(copy, sequence);
    const bytes = readFileSync(path);
    const middle = recordAfter(bytes, 20_000);
    bytes.writeUInt8((bytes.readUInt8(middle + 20) + 1) & 255, middle + 20);
    writeFileSync(path, bytes);
    await assert.rejects(openJournal(smallJournal(copy)), (error) => {
      assert.ok(error instanceof JournalError && error.fault === "CORRUPT");
      assert.match(error.message, new RegExp(`${path}: no sound record at offset ${middle}`));
      return true;
    });
    assert.deepEqual(readFileSync(path), bytes, "a refusal changes nothing");
    rmSync(copy, { recursive: true });
  }
  await journal.close();
});

test("damage within the newest file is told from a torn tail by what later groups claimed", async (t) => {
  const directory = journalDirectory(t);
  const { journal } = await openJournal(smallJournal(directory));
  for (let n = 1; n <= 20; n++)
    await appendOutcome(journal, n, BigInt(n), appendIntent(journal, n));
  const path = segmentPath(directory, 1);
  const bytes = readFileSync(path);
  const middle = recordAfter(bytes, 1000);
  bytes.writeUInt8((bytes.readUInt8(middle + 20) + 1) & 255, middle + 20);
  const copy = copyOf(directory);
  writeFileSync(segmentPath(copy, 1), bytes);
  await assert.rejects(openJournal(smallJournal(copy)), { fault: "CORRUPT" });
  rmSync(copy, { recursive: true });
  await journal.close();
});

test("outcomes of one turn share one sync, and those that arrive meanwhile share the next", async (t) => {
  const { journal } = await openJournal(smallJournal(journalDirectory(t)));
  const order: string[] = [];
  const append = (n: number, name: string) =>
    appendOutcome(journal, n, 1n, appendIntent(journal, n)).then(() => order.push(name));
  const first = Promise.all([append(1, "a"), append(2, "a"), append(3, "a")]);
  await new Promise((resolve) => setImmediate(resolve));
  // The first group's sync is in flight: it cannot complete before this turn is over.
  const second = Promise.all([append(4, "b"), append(5, "b")]);
  assert.equal(journal.figures.syncs, 0);
  await first;
  assert.equal(journal.figures.syncs, 1);
  await second;
  assert.equal(journal.figures.syncs, 2);
  assert.deepEqual(order, ["a", "a", "a", "b", "b"]);
  await journal.close();
});

test("intents alone are written without a sync", async (t) => {
  const directory = journalDirectory(t);
  const { journal } = await openJournal(smallJournal(directory));
  appendIntent(journal, 1);
  appendIntent(journal, 2);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(
    { writes: journal.figures.writes, syncs: journal.figures.syncs },
    { writes: 1, syncs: 0 },
  );
  const bytes = readFileSync(segmentPath(directory, 1));
  assert.equal(bytes[lastRecord(bytes).start + 8], recordType.intent);
  await journal.close();
});

test("a file is deleted once Billing has answered for it and no attempt in it still runs", async (t) => {
  const directory = journalDirectory(t);
  const { journal } = await openJournal(smallJournal(directory));
  const long = appendIntent(journal, 0);
  for (let n = 1; n <= 600; n++) await appendOutcome(journal, n, 1n, appendIntent(journal, n));
  journal.acknowledge(journal.durablePosition);
  assert.equal(journal.oldestPosition, 0, "the running attempt keeps its file");
  const moved = appendCheckpoint(journal, 0, 1n, long);
  journal.acknowledge(journal.durablePosition);
  assert.ok(journal.oldestPosition > 0, "its checkpoint took its place");
  await appendOutcome(journal, 0, 2n, moved);
  journal.acknowledge(journal.durablePosition);
  await journal.close();
  assert.deepEqual(await listSegments(directory), [], "a clean end leaves nothing");
});

test("new calls are refused from 80 % of the bound, until Billing answers", async (t) => {
  const settings = smallJournal(journalDirectory(t), { bytesMax: 200 * 1024 });
  const { journal } = await openJournal(settings);
  let n = 0;
  while (journal.isHealthy) {
    n++;
    await appendOutcome(journal, n, 1n, appendIntent(journal, n));
    assert.ok(n < 10_000, "the bound is reached");
  }
  assert.ok(journal.bytesKept >= 160 * 1024 && journal.bytesKept < 200 * 1024);
  journal.acknowledge(journal.durablePosition);
  assert.equal(journal.isHealthy, true);
  await journal.close();
});

test("a failed sync ends admission for good, fails what was waiting for it, and is never tried again", async (t) => {
  const directory = journalDirectory(t);
  let syncs = 0;
  const current = { sequence: 1, path: "x", base: 0, length: 0, durableLength: 0, openIntents: 0 };
  const failing: JournalFiles = {
    current,
    isFull: false,
    write: (_bytes, length) => {
      current.length += length;
    },
    sync: (done) => {
      syncs++;
      setImmediate(() => done(new Error("EIO: i/o error, fdatasync")));
    },
    rotate: () => Promise.reject(new Error("not asked to rotate")),
    close: () => Promise.resolve(),
  };
  const lock = { release: () => Promise.resolve() };
  const journal = new Journal({
    settings: smallJournal(directory),
    lock,
    writer: failing,
    older: [],
  });
  const first = appendOutcome(journal, 1, 1n, appendIntent(journal, 1));
  const failed = assert.rejects(first, { fault: "FAILED", message: /EIO/ });
  await new Promise((resolve) => setImmediate(resolve));
  const second = appendOutcome(journal, 2, 1n, appendIntent(journal, 2));
  await Promise.all([failed, assert.rejects(second, { fault: "FAILED" })]);
  assert.equal(journal.isHealthy, false);
  await assert.rejects(appendOutcome(journal, 3, 1n, appendIntent(journal, 3)), {
    fault: "FAILED",
  });
  await journal.close();
  assert.equal(syncs, 1);
});

test("a disk without room for another file ends admission for good, once what fits is durable", async (t) => {
  const current = { sequence: 1, path: "x", base: 0, length: 0, durableLength: 0, openIntents: 0 };
  const counts = { syncs: 0, rotations: 0 };
  const full: JournalFiles = {
    current,
    isFull: true,
    write: (_bytes, length) => {
      current.length += length;
    },
    sync: (done) => {
      counts.syncs++;
      current.durableLength = current.length;
      setImmediate(() => done(null));
    },
    rotate: () => {
      counts.rotations++;
      return Promise.reject(new Error("ENOSPC: no space left on device, write"));
    },
    close: () => Promise.resolve(),
  };
  const lock = { release: () => Promise.resolve() };
  const settings = smallJournal(journalDirectory(t));
  const journal = new Journal({ settings, lock, writer: full, older: [] });
  const failures: string[] = [];
  journal.onFailed = ({ message }) => failures.push(message);
  await appendOutcome(journal, 1, 1n, appendIntent(journal, 1));
  const late = appendOutcome(journal, 2, 1n, appendIntent(journal, 2));
  await assert.rejects(late, { fault: "FAILED", message: /ENOSPC/ });
  assert.equal(journal.isHealthy, false);
  await assert.rejects(journal.durable(), { fault: "FAILED" });
  await journal.close();
  assert.deepEqual(counts, { syncs: 1, rotations: 1 });
  assert.equal(failures.length, 1);
});

test("a second process is refused while the first lives, and takes over when it is gone", async (t) => {
  const directory = journalDirectory(t);
  const child = spawn(process.execPath, [writer, directory], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  await assert.rejects(openJournal(smallJournal(directory)), (error) => {
    assert.ok(error instanceof JournalError && error.fault === "LOCKED");
    assert.match(error.message, new RegExp(`held by process ${child.pid}`));
    return true;
  });
  child.stdout.resume();
  child.kill("SIGKILL");
  await once(child, "close");
  const { journal } = await openJournal(smallJournal(directory));
  await assert.rejects(openJournal(smallJournal(directory)), { fault: "LOCKED" });
  await journal.close();
  const again = await openJournal(smallJournal(directory));
  await again.journal.close();
});

test("the gateway's id is made once", async (t) => {
  const directory = journalDirectory(t);
  const first = await openJournal(smallJournal(directory));
  await first.journal.close();
  const second = await openJournal(smallJournal(directory));
  await second.journal.close();
  assert.match(first.gatewayId, /^gtw_[0-9a-f]{32}$/);
  assert.equal(second.gatewayId, first.gatewayId);
});

function lastRecord(bytes: Buffer): { start: number; end: number } {
  let start = 0;
  for (let end = soundRecordEnd(bytes, 0); end !== 0; end = soundRecordEnd(bytes, start)) {
    const next = soundRecordEnd(bytes, end);
    if (next === 0) return { start, end };
    start = end;
  }
  throw new Error("no record");
}

/** Where the first item's record after an offset begins. */
function recordAfter(bytes: Buffer, offset: number): number {
  let at = 0;
  while (at < offset || bytes[at + 8] === recordType.group) {
    const end = soundRecordEnd(bytes, at);
    assert.ok(end > at + recordHeaderBytes);
    at = end;
  }
  return at;
}

function copyOf(directory: string): string {
  const copy = mkdtempSync(join(tmpdir(), "farebox-journal-copy-"));
  for (const name of ["gateway_id"]) copyFileSync(join(directory, name), join(copy, name));
  const copied = readFileSync(join(directory, "gateway_id"));
  assert.ok(copied.length > 0);
  for (let sequence = 1; sequence < 100; sequence++) {
    try {
      copyFileSync(segmentPath(directory, sequence), segmentPath(copy, sequence));
    } catch {
      break;
    }
  }
  return copy;
}
