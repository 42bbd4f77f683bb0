import { crc32 } from "node:zlib";

/**
 * The journal's records: payload length (u32, little endian), CRC-32 of type and payload (u32), type (u8), payload.
 *
 * - `group` opens every write and claims how much was durable by then, so that damage to durable bytes can be told from a
 *   torn tail: segment number (u32), durable length (u32).
 * - `intent`, `checkpoint` and `outcome` carry an encoded `UsageItem`. The last record of an id counts.
 */
export const recordType = { group: 1, intent: 2, checkpoint: 3, outcome: 4 } as const;

/** One of `recordType`. */
export type RecordType = (typeof recordType)[keyof typeof recordType];

/** Bytes before a record's payload. */
export const recordHeaderBytes = 9;

/** Bytes of a whole `group` record. */
export const groupRecordBytes = recordHeaderBytes + 8;

/** The longest payload that is believed; a longer length is damage. */
export const payloadBytesMax = 1 << 20;

/** Completes a record whose payload was written at `start + recordHeaderBytes` up to `end`. */
export function sealRecord(bytes: Buffer, start: number, type: RecordType, end: number): void {
  bytes[start + 8] = type;
  const crc = crc32(bytes.subarray(start + 8, end));
  bytes.writeUInt32LE(end - start - recordHeaderBytes, start);
  bytes.writeUInt32LE(crc, start + 4);
}

/** Writes a whole `group` record at `start`. */
export function writeGroupRecord(bytes: Buffer, start: number, claim: DurableClaim): void {
  bytes.writeUInt32LE(claim.sequence, start + recordHeaderBytes);
  bytes.writeUInt32LE(claim.length, start + recordHeaderBytes + 4);
  sealRecord(bytes, start, recordType.group, start + groupRecordBytes);
}

/** So much of a segment was durable when the claim was written. */
export type DurableClaim = { readonly sequence: number; readonly length: number };

/** Reads a `group` record's claim. */
export function readGroupRecord(bytes: Buffer, start: number): DurableClaim {
  return {
    sequence: bytes.readUInt32LE(start + recordHeaderBytes),
    length: bytes.readUInt32LE(start + recordHeaderBytes + 4),
  };
}

/** Where the record at `start` ends, by its length alone; 0 when it is not whole in `bytes`. For bytes known to be good. */
export function recordEnd(bytes: Buffer, start: number): number {
  if (start + recordHeaderBytes > bytes.length) return 0;
  const end = start + recordHeaderBytes + bytes.readUInt32LE(start);
  return end > bytes.length ? 0 : end;
}

/** Where the record at `start` ends; 0 when there is no sound record: cut, altered, or never written. */
export function soundRecordEnd(bytes: Buffer, start: number): number {
  if (start + recordHeaderBytes > bytes.length) return 0;
  const length = bytes.readUInt32LE(start);
  const end = start + recordHeaderBytes + length;
  if (length > payloadBytesMax || end > bytes.length) return 0;
  const type = bytes[start + 8];
  if (type === undefined || type < recordType.group || type > recordType.outcome) return 0;
  return crc32(bytes.subarray(start + 8, end)) === bytes.readUInt32LE(start + 4) ? end : 0;
}
