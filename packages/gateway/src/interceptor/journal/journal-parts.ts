import type { DirectoryLock } from "./directory-lock.ts";
import type { JournalSettings } from "./journal-settings.ts";
import type { Segment } from "./segment.ts";
import type { SegmentWriter } from "./segment-writer.ts";

/** What `openJournal` makes a journal of. */
export type JournalParts = {
  readonly settings: JournalSettings;
  readonly lock: DirectoryLock;
  readonly writer: JournalFiles;
  readonly older: readonly Segment[];
};

/** What a journal needs of a disk. */
export type JournalFiles = Pick<
  SegmentWriter,
  "current" | "isFull" | "write" | "sync" | "rotate" | "close"
>;
