import assert from "node:assert/strict";
import test from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { SettleUsageRequestSchema } from "@farebox/proto/farebox/billing/v1/billing_service";
import { UsageItemSchema } from "@farebox/proto/farebox/billing/v1/usage";
import fc from "fast-check";
import { demoHead, demoTail, encodedItem } from "../../../testing/attempt.ts";
import {
  groupRecordBytes,
  recordHeaderBytes,
  recordType,
  sealRecord,
  writeGroupRecord,
} from "../journal/journal-record.ts";
import { frameBatch } from "./settle-frames.ts";

const record = fc.record({
  type: fc.constantFrom(recordType.intent, recordType.checkpoint, recordType.outcome),
  cost: fc.bigInt({ min: 0n, max: 9_000_000_000_000_000_000n }),
});

test("a batch is the very bytes that protobuf-es would write, of the outcomes alone", () => {
  fc.assert(
    fc.property(
      fc.array(record, { maxLength: 50 }),
      fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      fc.integer({ min: 1, max: 60 }),
      fc.nat({ max: 200 }),
      (records, sequence, itemsMax, cut) => {
        const items = records.map(({ cost }, n) => encodedItem(demoHead(n), demoTail(cost)));
        const ends: number[] = [];
        const parts = [groupRecord()];
        for (const [n, { type }] of records.entries()) {
          parts.push(sealed(type, items[n] ?? Buffer.alloc(0)));
          ends.push(Buffer.concat(parts).length);
        }
        const all = Buffer.concat(parts);
        const bytes = all.subarray(0, Math.max(groupRecordBytes, all.length - cut));
        const batch = frameBatch(bytes, sequence, itemsMax);

        const whole = records.filter((_, n) => (ends[n] ?? 0) <= bytes.length);
        const outcomes = whole.flatMap(({ type }, n) => (type === recordType.outcome ? [n] : []));
        const taken = outcomes.slice(0, itemsMax);
        assert.equal(batch.itemsCount, taken.length);
        const last = outcomes.length > itemsMax ? taken.at(-1) : whole.length - 1;
        if (outcomes.length !== itemsMax) {
          assert.equal(batch.usedBytes, ends[last ?? -1] ?? groupRecordBytes);
        }
        const message = create(SettleUsageRequestSchema, {
          message: {
            case: "batch",
            value: {
              sequence: BigInt(sequence),
              items: taken.map((n) => fromBinary(UsageItemSchema, items[n] ?? Buffer.alloc(0))),
            },
          },
        });
        const expected =
          taken.length === 0 ? undefined : toBinary(SettleUsageRequestSchema, message);
        assert.deepEqual(batch.frame && new Uint8Array(batch.frame), expected);
      },
    ),
    { numRuns: 500 },
  );
});

function sealed(type: 2 | 3 | 4, payload: Buffer): Buffer {
  const bytes = Buffer.alloc(recordHeaderBytes + payload.length);
  payload.copy(bytes, recordHeaderBytes);
  sealRecord(bytes, 0, type, bytes.length);
  return bytes;
}

function groupRecord(): Buffer {
  const bytes = Buffer.alloc(groupRecordBytes);
  writeGroupRecord(bytes, 0, { sequence: 1, length: 0 });
  return bytes;
}
