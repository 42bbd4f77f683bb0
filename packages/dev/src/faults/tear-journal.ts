import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What a power cut may leave of a record that was being written. */
export type Tear = "half a header" | "half a payload" | "a wrong checksum";

/** Every kind. */
export const tears: readonly Tear[] = ["half a header", "half a payload", "a wrong checksum"];

const headerBytes = 9;

/**
 * Leaves a torn record behind the last whole one of a dead gateway's journal, as a write does that was cut off. What was
 * written before stays as it is. Reads the records by their length alone, on its own.
 */
export function tearJournal(directory: string, tear: Tear): void {
  const segments = readdirSync(directory)
    .filter((name) => name.endsWith(".journal"))
    .sort()
    .map((name) => join(directory, name));
  // The newest file may be one made in advance, still all zeros.
  const written = segments.filter((path) => endOfRecords(readFileSync(path)) > 0).at(-1);
  if (written === undefined) throw new Error(`${directory}: the journal holds nothing`);
  const bytes = readFileSync(written);
  const end = endOfRecords(bytes);
  const torn = tornRecord(tear);
  writeFileSync(
    written,
    Buffer.concat([bytes.subarray(0, end), torn, bytes.subarray(end + torn.length)]),
  );
}

function endOfRecords(bytes: Buffer): number {
  let at = 0;
  for (;;) {
    if (at + headerBytes > bytes.length || bytes.readUInt32LE(at) === 0) return at;
    at += headerBytes + bytes.readUInt32LE(at);
  }
}

function tornRecord(tear: Tear): Buffer {
  const outcome = 4;
  const payload = randomBytes(200);
  const header = Buffer.alloc(headerBytes);
  header.writeUInt32LE(payload.length, 0);
  header.writeUInt32LE(0xdeadbeef, 4);
  header[8] = outcome;
  switch (tear) {
    case "half a header":
      return header.subarray(0, 5);
    case "half a payload":
      return Buffer.concat([header, payload.subarray(0, 90)]);
    case "a wrong checksum":
      return Buffer.concat([header, payload]);
  }
}
