/** How a journal is kept. */
export type JournalSettings = {
  readonly directory: string;
  /** Bound on the records kept, all segments together; new calls are refused at 80 % of it. */
  readonly bytesMax: number;
  /** The size of one file. */
  readonly segmentBytes: number;
  /**
   * How long a group may gather outcomes before it is made durable, while many calls are in flight. A sync costs some
   * 100 µs of CPU whatever its size, so that at 20,000 calls a second gathering pays for the whole journal.
   */
  readonly gatherMs: number;
};

/** The defaults: 1 GiB in files of 16 MiB, and groups that gather for two milliseconds when busy. */
export const journalDefaults = {
  bytesMax: 1 << 30,
  segmentBytes: 16 << 20,
  gatherMs: 2,
} as const satisfies Partial<JournalSettings>;
