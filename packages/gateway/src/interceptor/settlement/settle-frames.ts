import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { SettleUsageRequestSchema } from "@farebox/proto/farebox/billing/v1/billing_service";
import { varintLength, writeVarint } from "../item/proto-bytes.ts";
import { recordEnd, recordHeaderBytes, recordType } from "../journal/journal-record.ts";

/** Encodes a message of the settlement stream other than a batch: those are rare. */
export function settleFrame(
  message: NonNullable<MessageInitShape<typeof SettleUsageRequestSchema>["message"]>,
): Uint8Array {
  return toBinary(SettleUsageRequestSchema, create(SettleUsageRequestSchema, { message }));
}

/** A batch cut from journal bytes. */
export type BatchFrame = {
  /** The encoded `SettleUsageRequest`; undefined when the bytes held no outcome. */
  readonly frame: Buffer | undefined;
  readonly itemsCount: number;
  /** How many of the journal's bytes were used up; the next batch begins there. */
  readonly usedBytes: number;
};

/**
 * Frames the outcomes at the start of these journal bytes as one batch: the items' own bytes, copied, never decoded. A
 * record that is cut off at the end is left for the next batch.
 */
export function frameBatch(records: Buffer, sequence: number, itemsMax: number): BatchFrame {
  const frame = Buffer.allocUnsafe(records.length + frameHeaderBytesMax);
  let end = frameHeaderBytesMax;
  let itemsCount = 0;
  let usedBytes = 0;
  while (itemsCount < itemsMax) {
    const next = recordEnd(records, usedBytes);
    if (next === 0) break;
    if (records[usedBytes + 8] === recordType.outcome) {
      const from = usedBytes + recordHeaderBytes;
      frame[end++] = tagItems;
      end = writeVarint(frame, end, next - from);
      end += records.copy(frame, end, from, next);
      itemsCount++;
    }
    usedBytes = next;
  }
  if (itemsCount === 0) return { frame: undefined, itemsCount, usedBytes };
  return { frame: withHeader(frame, end, sequence), itemsCount, usedBytes };
}

/** Writes what comes before the items backwards from where they begin, once their length is known. */
function withHeader(frame: Buffer, end: number, sequence: number): Buffer {
  const sequenceBytes = 1 + varintLength(sequence);
  const batchBytes = sequenceBytes + end - frameHeaderBytesMax;
  const start = frameHeaderBytesMax - sequenceBytes - varintLength(batchBytes) - 1;
  frame[start] = tagBatch;
  const at = writeVarint(frame, start + 1, batchBytes);
  frame[at] = tagSequence;
  writeVarint(frame, at + 1, sequence);
  return frame.subarray(start, end);
}

const tagBatch = (2 << 3) | 2;
const tagSequence = 1 << 3;
const tagItems = (2 << 3) | 2;
/** Two tags, a length and a sequence of at most eight bytes each. */
const frameHeaderBytesMax = 18;
