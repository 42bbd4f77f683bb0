import { isUtf8 } from "node:buffer";

/** Where a hand-written decoder stands in a message. Functions beside it move `at` forward and never past `end`. */
export type ProtoCursor = { readonly bytes: Buffer; at: number; end: number };

/** Bytes that are not the message they should be: cut short, or not by the rules of the wire format. */
export class MalformedMessageError extends Error {
  override readonly name = "MalformedMessageError";
}

/** Opens a message, without copying it. */
export function openCursor(bytes: Uint8Array): ProtoCursor {
  const buffer = Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { bytes: buffer, at: 0, end: buffer.length };
}

/** Reads a tag: field number times 8, plus wire type. Nearly all fit one byte or two. */
export function readTag(cursor: ProtoCursor): number {
  return readUint32(cursor);
}

/** Reads the length of what follows, and makes sure that it is there. */
export function readLength(cursor: ProtoCursor): number {
  const length = readUint32(cursor);
  if (length > cursor.end - cursor.at) throw new MalformedMessageError("cut short");
  return length;
}

/** Reads an int32, an enum or a bool's number: what is longer is cut, as the format says. */
export function readInt32(cursor: ProtoCursor): number {
  return readUint32(cursor) | 0;
}

/** Reads an int64 as a number: exact up to 2^53, beyond that only as large. */
export function readInt64Number(cursor: ProtoCursor): number {
  const { bytes } = cursor;
  const first = bytes[cursor.at] ?? 0x80;
  if (first < 0x80 && cursor.at < cursor.end) {
    cursor.at += 1;
    return first;
  }
  const low = readPart(cursor, 4);
  if (low < 0x10000000) return low;
  const high = readPart(cursor, 4);
  const middle = high % 0x10000000;
  if (high < 0x10000000) return middle * 0x10000000 + (low - 0x10000000);
  const top = readPart(cursor, 2);
  if (top >= 0x4000) throw new MalformedMessageError("a number is too long");
  // The sign is in the eighth of these bits; from the top down, small negative numbers come out exact.
  return ((top << 24) >> 24) * 2 ** 56 + middle * 0x10000000 + (low - 0x10000000);
}

/** Reads an int64 with all its digits. */
export function readInt64(cursor: ProtoCursor): bigint {
  const start = cursor.at;
  const value = readInt64Number(cursor);
  if (Number.isSafeInteger(value)) return BigInt(value);
  cursor.at = start;
  let exact = 0n;
  for (let shift = 0n; ; shift += 7n) {
    const byte = cursor.bytes[cursor.at] ?? 0;
    cursor.at += 1;
    exact |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return BigInt.asIntN(64, exact);
  }
}

/** Reads a text, which must be UTF-8. */
export function readText(cursor: ProtoCursor): string {
  const length = readLength(cursor);
  const start = cursor.at;
  cursor.at += length;
  return textAt(cursor.bytes, start, cursor.at);
}

/** Reads bytes as lower-case hex digits. */
export function readHex(cursor: ProtoCursor): string {
  const length = readLength(cursor);
  const start = cursor.at;
  cursor.at += length;
  return cursor.bytes.toString("hex", start, cursor.at);
}

/** The text in a range of bytes. */
export function textAt(bytes: Buffer, start: number, end: number): string {
  for (let at = start; at < end; at += 1) {
    if ((bytes[at] ?? 0) >= 0x80) {
      if (!isUtf8(bytes.subarray(start, end))) throw new MalformedMessageError("not UTF-8");
      return bytes.toString("utf8", start, end);
    }
  }
  return bytes.toString("latin1", start, end);
}

/** Passes over a field that this release does not know. */
export function skipField(cursor: ProtoCursor, tag: number, depth = 0): void {
  switch (tag & 7) {
    case 0:
      readInt64Number(cursor);
      return;
    case 1:
      skipBytes(cursor, 8);
      return;
    case 2:
      skipBytes(cursor, readLength(cursor));
      return;
    case 3:
      skipGroup(cursor, tag >>> 3, depth);
      return;
    case 5:
      skipBytes(cursor, 4);
      return;
    default:
      throw new MalformedMessageError("an unknown wire type");
  }
}

const depthMax = 100;

function skipGroup(cursor: ProtoCursor, field: number, depth: number): void {
  if (depth >= depthMax) throw new MalformedMessageError("nested too deep");
  for (;;) {
    const tag = readTag(cursor);
    if ((tag & 7) !== 4) skipField(cursor, tag, depth + 1);
    else if (tag >>> 3 === field) return;
    else throw new MalformedMessageError("a group ends that did not begin");
  }
}

function skipBytes(cursor: ProtoCursor, count: number): void {
  if (count > cursor.end - cursor.at) throw new MalformedMessageError("cut short");
  cursor.at += count;
}

/** The low 32 bits of a varint of any length. */
function readUint32(cursor: ProtoCursor): number {
  const { bytes, end } = cursor;
  let value = 0;
  for (let index = 0; index < 10; index += 1) {
    if (cursor.at >= end) throw new MalformedMessageError("cut short");
    const byte = bytes[cursor.at] ?? 0;
    cursor.at += 1;
    if (index < 5) value |= (byte & 0x7f) << (7 * index);
    if (byte < 0x80) return value >>> 0;
  }
  throw new MalformedMessageError("a number is too long");
}

/** Up to so many groups of 7 bits, lowest first; with a bit above them when the number goes on. */
function readPart(cursor: ProtoCursor, groups: number): number {
  const { bytes, end } = cursor;
  let value = 0;
  for (let index = 0; index < groups; index += 1) {
    if (cursor.at >= end) throw new MalformedMessageError("cut short");
    const byte = bytes[cursor.at] ?? 0;
    cursor.at += 1;
    value |= (byte & 0x7f) << (7 * index);
    if (byte < 0x80) return value;
  }
  return value + 2 ** (7 * groups);
}
