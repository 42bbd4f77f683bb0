import { mkdir } from "node:fs/promises";
import { lockDirectory } from "./directory-lock.ts";
import { readGatewayId } from "./gateway-id.ts";
import { Journal } from "./journal.ts";
import type { JournalSettings } from "./journal-settings.ts";
import { scanSegments } from "./scan-segments.ts";
import { SegmentWriter } from "./segment-writer.ts";

/** A journal, and what opening it found. */
export type OpenedJournal = {
  readonly journal: Journal;
  readonly gatewayId: string;
  /** Where this life of the journal begins: what lies before was left by earlier ones. */
  readonly startPosition: number;
  /** Bytes of a torn tail that were cut off. */
  readonly tornBytes: number;
  /** Attempts that a dead process left without an outcome; they have one now, after `startPosition`. */
  readonly interruptedCount: number;
};

/**
 * Opens the journal of a directory, made if missing. Attempts that a dead process left open get their outcome from their
 * last record, durably, before this resolves. Throws a JournalError LOCKED or CORRUPT.
 */
export async function openJournal(settings: JournalSettings): Promise<OpenedJournal> {
  await mkdir(settings.directory, { recursive: true });
  const lock = await lockDirectory(settings.directory);
  try {
    const gatewayId = await readGatewayId(settings.directory);
    const { segments, openItems, tornBytes } = await scanSegments(settings.directory);
    const last = segments.at(-1);
    const startPosition = last === undefined ? 0 : last.base + last.length;
    const sequence = (last?.sequence ?? 0) + 1;
    const writer = await SegmentWriter.open(settings, { sequence, base: startPosition });
    const journal = new Journal({ settings, lock, writer, older: segments });
    // Each record was written to be charged as it stands, should nothing follow it.
    await Promise.all(openItems.map((item) => journal.appendOutcome(item)));
    return { journal, gatewayId, startPosition, tornBytes, interruptedCount: openItems.length };
  } catch (error) {
    await lock.release();
    throw error;
  }
}
