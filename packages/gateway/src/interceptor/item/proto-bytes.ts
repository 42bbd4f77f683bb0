/**
 * The few protobuf primitives of the hot path. Each writes at `at` and returns where the next byte goes; the caller has made
 * sure that there is room. Counts are non-negative safe integers, or -2^63 to 2^63-1 as bigint.
 */

/** Writes a base-128 varint of a non-negative safe integer. */
export function writeVarint(bytes: Buffer, at: number, value: number): number {
  let rest = value;
  let next = at;
  // Above 2^31 the bit operators would lose the high part.
  while (rest > 0x7fffffff) {
    bytes[next++] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  while (rest > 127) {
    bytes[next++] = (rest & 127) | 0x80;
    rest >>>= 7;
  }
  bytes[next++] = rest;
  return next;
}

/**
 * Writes a varint field unless it is 0, proto3's default. What is no count (negative, NaN, beyond 2^53) is brought into range
 * rather than let a provider's nonsense break the bytes of a whole batch.
 */
export function writeCount(bytes: Buffer, at: number, tag: number, value: number): number {
  if (!(value > 0)) return at;
  const count = Math.min(value, Number.MAX_SAFE_INTEGER);
  return writeVarint(bytes, writeVarint(bytes, at, tag), count);
}

/** Writes an int64 field unless it is 0. Negative values take ten bytes, as protobuf says. */
export function writeNanos(bytes: Buffer, at: number, tag: number, value: bigint): number {
  return value === 0n ? at : writeNanosAlways(bytes, at, tag, value);
}

/** Writes an int64 field, 0 included: for fields where unset differs from zero. */
export function writeNanosAlways(bytes: Buffer, at: number, tag: number, value: bigint): number {
  const next = writeVarint(bytes, at, tag);
  if (value >= 0n && value <= safeMax) return writeVarint(bytes, next, Number(value));
  return writeBigVarint(bytes, next, BigInt.asUintN(64, value));
}

/** Writes a string field unless it is empty. */
export function writeText(bytes: Buffer, at: number, tag: number, text: string): number {
  return text.length === 0 ? at : writeTextAlways(bytes, at, tag, text);
}

/** Writes a string field, the empty string included: for elements of repeated fields. */
export function writeTextAlways(bytes: Buffer, at: number, tag: number, text: string): number {
  const next = writeVarint(bytes, at, tag);
  if (text.length <= oneByteLengthMax) {
    const written = bytes.write(text, next + 1);
    bytes[next] = written;
    return next + 1 + written;
  }
  const length = Buffer.byteLength(text);
  const from = writeVarint(bytes, next, length);
  return from + bytes.write(text, from, length);
}

/** Writes a bytes field unless it is empty. */
export function writeBytes(bytes: Buffer, at: number, tag: number, value: Uint8Array): number {
  if (value.length === 0) return at;
  const from = writeVarint(bytes, writeVarint(bytes, at, tag), value.length);
  bytes.set(value, from);
  return from + value.length;
}

/** How many bytes `writeVarint` takes. */
export function varintLength(value: number): number {
  let rest = value;
  let length = 1;
  while (rest > 127) {
    rest = Math.floor(rest / 128);
    length++;
  }
  return length;
}

function writeBigVarint(bytes: Buffer, at: number, value: bigint): number {
  let rest = value;
  let next = at;
  while (rest > 127n) {
    bytes[next++] = Number(rest & 127n) | 0x80;
    rest >>= 7n;
  }
  bytes[next++] = Number(rest);
  return next;
}

/** UTF-8 takes at most three bytes a UTF-16 unit, so that the length of anything this short fits one byte. */
const oneByteLengthMax = 42;
const safeMax = BigInt(Number.MAX_SAFE_INTEGER);
