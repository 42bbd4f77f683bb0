import {
  type DurableClaim,
  groupRecordBytes,
  type RecordType,
  recordHeaderBytes,
  sealRecord,
  writeGroupRecord,
} from "./journal-record.ts";

/** The records of one turn, encoded in place behind room for the group record that opens every write. */
export class RecordBuffer {
  #bytes = Buffer.allocUnsafe(bytesMin);
  #length = groupRecordBytes;
  #recordStart = 0;

  /** Where to encode a payload, at the offset that `begin` gave. Another buffer after every `begin`. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  /** Bytes to write, the group record included. */
  get length(): number {
    return this.#length;
  }

  get isEmpty(): boolean {
    return this.#length === groupRecordBytes;
  }

  /** Begins a record of at most this many bytes; returns where its payload goes. */
  begin(payloadBytesMax: number): number {
    const needed = this.#length + recordHeaderBytes + payloadBytesMax;
    if (needed > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
      this.#bytes.copy(grown, 0, 0, this.#length);
      this.#bytes = grown;
    }
    this.#recordStart = this.#length;
    return this.#length + recordHeaderBytes;
  }

  /** Completes the record that was begun. */
  seal(type: RecordType, end: number): void {
    sealRecord(this.#bytes, this.#recordStart, type, end);
    this.#length = end;
  }

  /** Completes the group record; what `bytes` holds up to `length` is then ready to be written. */
  sealGroup(claim: DurableClaim): void {
    writeGroupRecord(this.#bytes, 0, claim);
  }

  /** Forgets what was written. */
  clear(): void {
    this.#length = groupRecordBytes;
    if (this.#bytes.length > bytesKept) this.#bytes = Buffer.allocUnsafe(bytesMin);
  }
}

const bytesMin = 256 * 1024;
const bytesKept = 4 << 20;
