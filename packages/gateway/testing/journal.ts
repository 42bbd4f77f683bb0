import { mkdtempSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { type UsageItem, UsageItemSchema } from "@farebox/proto/farebox/billing/v1/usage";
import { encodeUsageItem } from "../src/interceptor/item/encode-usage-item.ts";
import type { Journal } from "../src/interceptor/journal/journal.ts";
import {
  recordHeaderBytes,
  recordType,
  soundRecordEnd,
} from "../src/interceptor/journal/journal-record.ts";
import {
  type JournalSettings,
  journalDefaults,
} from "../src/interceptor/journal/journal-settings.ts";
import { listSegments, type Segment, segmentPath } from "../src/interceptor/journal/segment.ts";
import { demoHead, demoTail } from "./attempt.ts";

/** A directory that goes with its test. */
export function journalDirectory(t: { after(fn: () => Promise<void>): void }): string {
  const directory = mkdtempSync(join(tmpdir(), "farebox-journal-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** Small files, so that tests meet every boundary. */
export function smallJournal(directory: string, over: Partial<JournalSettings> = {}) {
  return { ...journalDefaults, segmentBytes: 64 * 1024, directory, ...over };
}

/** Records the n-th attempt's intent. */
export function appendIntent(journal: Journal, n: number): Segment {
  const at = journal.begin(1024);
  return journal.commitIntent(encodeUsageItem(journal.bytes, at, demoHead(n), demoTail(0n, 4)));
}

/** Records that the n-th attempt has cost so much so far. */
export function appendCheckpoint(journal: Journal, n: number, cost: bigint, intent: Segment) {
  const at = journal.begin(1024);
  const end = encodeUsageItem(journal.bytes, at, demoHead(n), demoTail(cost, 4));
  return journal.commitCheckpoint(end, intent);
}

/** Records the n-th attempt's outcome. */
export function appendOutcome(journal: Journal, n: number, cost: bigint, intent: Segment) {
  const at = journal.begin(1024);
  const end = encodeUsageItem(journal.bytes, at, demoHead(n), demoTail(cost));
  return journal.commitOutcome(end, intent);
}

/** Every outcome on disk, in order, read without the journal's own scan of a directory. */
export async function outcomesOnDisk(directory: string): Promise<readonly UsageItem[]> {
  const items: UsageItem[] = [];
  for (const sequence of await listSegments(directory)) {
    const bytes = readFileSync(segmentPath(directory, sequence));
    for (let at = 0; ; ) {
      const end = soundRecordEnd(bytes, at);
      if (end === 0) break;
      if (bytes[at + 8] === recordType.outcome) {
        items.push(fromBinary(UsageItemSchema, bytes.subarray(at + recordHeaderBytes, end)));
      }
      at = end;
    }
  }
  return items;
}

/** The number that `demoHead` made an item of. */
export function attemptNumber(item: UsageItem): number {
  return Buffer.from(item.id).readUInt32BE(12);
}
