/** Why a journal cannot be opened or can no longer be written. The message names the file, and says what to do. */
export class JournalError extends Error {
  override readonly name = "JournalError";
  readonly fault: JournalFault;

  constructor(fault: JournalFault, message: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.fault = fault;
  }
}

/**
 * - `LOCKED`: another process holds the directory.
 * - `CORRUPT`: durable bytes are gone or altered; opening would lose charges silently.
 * - `FAILED`: a write or sync failed; what the disk holds since is unknown, so nothing more is written.
 * - `CLOSED`: the journal has been closed.
 */
export type JournalFault = "LOCKED" | "CORRUPT" | "FAILED" | "CLOSED";
