import { rm } from "node:fs/promises";
import { JournalError } from "./journal-error.ts";
import { JournalGroup } from "./journal-group.ts";
import type { JournalFiles, JournalParts } from "./journal-parts.ts";
import { type RecordType, recordType } from "./journal-record.ts";
import type { JournalSettings } from "./journal-settings.ts";
import { KeptSegments } from "./kept-segments.ts";
import { RecordBuffer } from "./record-buffer.ts";
import type { Segment } from "./segment.ts";

/** What the journal counted so far. */
export type JournalFigures = {
  outcomes: number;
  syncs: number;
  writes: number;
  bytes: number;
};

/**
 * The gateway's durable record of attempts: appended here, then made durable in groups, then shipped to Billing, then
 * trimmed. Records are buffered for one turn of the event loop and written with one call. Outcomes are synced as well: one
 * sync at a time, and whatever arrives meanwhile goes into the next group. While a sync runs nothing is written, because
 * the kernel may make the writer wait for it.
 *
 * A failed write or sync ends the journal for good: `isHealthy` turns false and new calls must be refused. What was not
 * durable by then is charged from its last checkpoint when the journal is opened again.
 */
export class Journal {
  readonly figures: JournalFigures = { outcomes: 0, syncs: 0, writes: 0, bytes: 0 };
  /** Called after every sync with the position up to which records are durable. Set by whoever ships. */
  onDurable: (position: number) => void = () => undefined;
  /** Called once when a write or sync has failed and the journal has ended for good. Set by whoever tells the operator. */
  onFailed: (failure: JournalError) => void = () => undefined;
  readonly #settings: JournalSettings;
  readonly #lock: JournalParts["lock"];
  readonly #writer: JournalFiles;
  readonly #kept: KeptSegments;
  readonly #pending = new RecordBuffer();
  #claim = { sequence: 0, length: 0 };
  #group = new JournalGroup();
  #lastGroupSize = 0;
  #openCalls = 0;
  #hasUnsynced = false;
  #isScheduled = false;
  #isSyncing = false;
  #gatherTimer: NodeJS.Timeout | undefined;
  #failure: JournalError | undefined;
  #acknowledged = 0;
  #lastOutcome = 0;

  /** For `openJournal`, which makes the parts. */
  constructor(parts: JournalParts) {
    this.#settings = parts.settings;
    this.#lock = parts.lock;
    this.#writer = parts.writer;
    this.#kept = new KeptSegments(parts.older);
    this.#lastOutcome = parts.writer.current.base;
  }

  /** Whether new calls may be admitted: nothing failed, and there is room for what they will record. */
  get isHealthy(): boolean {
    return (
      this.#failure === undefined &&
      this.#pending.length < pendingBytesMax &&
      this.bytesKept < this.#settings.bytesMax * admittedShare
    );
  }

  /** Bytes of records that are kept on disk. */
  get bytesKept(): number {
    return this.#kept.bytes + this.#writer.current.length;
  }

  /** Where the next record goes: everything appended so far lies before it. */
  get position(): number {
    return this.#writer.current.base + this.#writer.current.length + this.#pending.length;
  }

  /** Up to where records are durable. */
  get durablePosition(): number {
    return this.#writer.current.base + this.#writer.current.durableLength;
  }

  /** Where the oldest record that is kept begins. */
  get oldestPosition(): number {
    return this.#kept.oldest?.base ?? this.#writer.current.base;
  }

  /** The buffer to encode a payload into, at the offset that `begin` gave. It changes with every `begin`. */
  get bytes(): Buffer {
    return this.#pending.bytes;
  }

  /** Begins a record of at most this many bytes; returns where its payload goes. Complete it before anything else. */
  begin(payloadBytesMax: number): number {
    return this.#pending.begin(payloadBytesMax);
  }

  /** Completes an intent; returns the segment that keeps it, for `commitCheckpoint` and `commitOutcome`. */
  commitIntent(end: number): Segment {
    this.#commit(recordType.intent, end);
    this.#openCalls++;
    this.#writer.current.openIntents++;
    return this.#writer.current;
  }

  /** Completes a checkpoint, which replaces the intent; returns the segment that now keeps the attempt. */
  commitCheckpoint(end: number, intent: Segment): Segment {
    this.#commit(recordType.checkpoint, end);
    intent.openIntents--;
    this.#writer.current.openIntents++;
    return this.#writer.current;
  }

  /**
   * Completes an outcome, which ends the intent. Resolves when it survives a power cut; rejects with FAILED when it may not.
   * All outcomes of a group share one promise.
   */
  commitOutcome(end: number, intent: Segment): Promise<void> {
    intent.openIntents--;
    this.#openCalls--;
    return this.#commitOutcome(end);
  }

  /** Appends an encoded item as an outcome of an attempt whose intent an earlier process recorded. */
  appendOutcome(item: Buffer): Promise<void> {
    const at = this.begin(item.length);
    item.copy(this.bytes, at);
    return this.#commitOutcome(at + item.length);
  }

  /** Resolves when everything appended so far is durable. */
  durable(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#isIdle) return Promise.resolve();
    this.#schedule();
    return this.#group.join(0);
  }

  /** The segment that holds a position, to be read up to its `durableLength`; undefined at the end. */
  segmentAt(position: number): Segment | undefined {
    const older = this.#kept.at(position);
    if (older !== undefined) return older;
    const { current } = this.#writer;
    return position < current.base + current.durableLength ? current : undefined;
  }

  /** States that Billing has answered every outcome before the position. Files with nothing left to say are deleted. */
  acknowledge(position: number): void {
    this.#acknowledged = Math.max(this.#acknowledged, position);
    this.#kept.trim(this.#acknowledged);
  }

  /** Makes everything durable and lets the directory go; what Billing has answered for in full leaves no file. */
  async close(): Promise<void> {
    do await this.durable().catch(() => undefined);
    while (this.#isSyncing);
    const isDone = this.#failure === undefined && this.#openCalls === 0;
    this.#failure ??= new JournalError("CLOSED", "the journal is closed");
    clearTimeout(this.#gatherTimer);
    await this.#writer.close();
    if (isDone && this.#acknowledged >= this.#lastOutcome && this.#kept.oldest === undefined) {
      await rm(this.#writer.current.path, { force: true });
    }
    await this.#lock.release();
  }

  get #isIdle(): boolean {
    return this.#pending.isEmpty && !this.#hasUnsynced && !this.#isSyncing;
  }

  #commitOutcome(end: number): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#commit(recordType.outcome, end);
    this.#lastOutcome = this.position;
    this.figures.outcomes++;
    return this.#group.join(1);
  }

  #commit(type: RecordType, end: number): void {
    if (this.#failure !== undefined) return;
    this.#pending.seal(type, end);
    if (!this.#isScheduled && !this.#isSyncing) this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isSyncing) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#endTurn();
    });
  }

  #endTurn(): void {
    if (this.#isSyncing || this.#failure !== undefined) return;
    try {
      this.#write();
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (this.#writer.isFull) this.#sync();
    else if (!this.#group.isEmpty) this.#syncOrGather();
  }

  #syncOrGather(): void {
    if (!this.#shouldGather()) {
      this.#sync();
      return;
    }
    this.#gatherTimer ??= setTimeout(() => {
      this.#gatherTimer = undefined;
      this.#lastGroupSize = 0;
      this.#schedule();
    }, this.#settings.gatherMs);
  }

  /** Waiting pays only while calls come fast, and only as long as more of them may still join the group. */
  #shouldGather(): boolean {
    return this.#lastGroupSize >= gatherFrom && this.#group.size < this.#openCalls;
  }

  #write(): void {
    const pending = this.#pending;
    if (pending.isEmpty) return;
    pending.sealGroup(this.#claim);
    this.#writer.write(pending.bytes, pending.length);
    this.figures.writes++;
    this.figures.bytes += pending.length;
    this.#hasUnsynced = true;
    pending.clear();
  }

  #sync(): void {
    clearTimeout(this.#gatherTimer);
    this.#gatherTimer = undefined;
    this.#isSyncing = true;
    this.#hasUnsynced = false;
    const group = this.#group;
    this.#group = new JournalGroup();
    this.#writer.sync((error) => {
      if (error !== null) {
        this.#fail(error, group);
        return;
      }
      this.#lastGroupSize = group.size;
      this.figures.syncs++;
      const { sequence, durableLength } = this.#writer.current;
      this.#claim = { sequence, length: durableLength };
      group.resolve();
      this.onDurable(this.durablePosition);
      if (this.#writer.isFull) this.#rotate();
      else this.#afterSync();
    });
  }

  #rotate(): void {
    const full = this.#writer.current;
    this.#writer.rotate().then(
      () => {
        this.#kept.add(full);
        this.#kept.trim(this.#acknowledged);
        this.#afterSync();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  #afterSync(): void {
    this.#isSyncing = false;
    if (!this.#pending.isEmpty || !this.#group.isEmpty) this.#schedule();
  }

  #fail(cause: unknown, group?: JournalGroup): void {
    const why = cause instanceof Error ? cause.message : String(cause);
    this.#failure = new JournalError(
      "FAILED",
      `${this.#writer.current.path}: ${why}. No call is admitted until the gateway is restarted on a disk that works.`,
      cause,
    );
    this.#isSyncing = false;
    group?.reject(this.#failure);
    this.#group.reject(this.#failure);
    this.onFailed(this.#failure);
  }
}

/** What may wait for a slow disk before new calls are refused. */
const pendingBytesMax = 16 << 20;
/** The rest of the bound is for the outcomes of calls that are in flight when it is reached. */
const admittedShare = 0.8;
/**
 * A group of so many outcomes shows that calls come faster than syncs. Few, because a sync costs as much CPU as serving half
 * a call, so that sharing it pays from the first.
 */
const gatherFrom = 4;
