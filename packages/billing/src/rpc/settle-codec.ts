import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { AppError } from "@farebox/kit/app-error";
import {
  type SettleUsageRequest,
  SettleUsageRequestSchema,
  SettleUsageResponseSchema,
} from "@farebox/proto/farebox/billing/v1/billing_service";
import { type UsageItem, UsageItemSchema } from "@farebox/proto/farebox/billing/v1/usage";
import type { DecodedItem } from "../domain/usage-item.ts";
import {
  createItemCaches,
  createItemDecoder,
  type DecodeItem,
  type ItemCaches,
  readItem,
} from "./decode-usage-item.ts";
import {
  MalformedMessageError,
  openCursor,
  type ProtoCursor,
  readInt64,
  readLength,
  readTag,
  skipField,
} from "./proto-cursor.ts";

/** The codec of the settlement stream, for `serviceMount`, and what takes the items out of the batches it decoded. */
export type SettleCodec = {
  /** Errors: INVALID_ARGUMENT for bytes that are no request. */
  readonly decodeRequest: (bytes: Uint8Array) => SettleUsageRequest;
  readonly encodeResponse: (
    response: MessageInitShape<typeof SettleUsageResponseSchema>,
  ) => Uint8Array;
  /** The items of a batch, whichever codec decoded it. */
  readonly itemsOf: (items: readonly UsageItem[]) => readonly DecodedItem[];
};

/** Makes the codec of one process. Batches and their acknowledgements are by hand, all else is left to protobuf-es. */
export function createSettleCodec(): SettleCodec {
  const caches = createItemCaches();
  const decodeItem = createItemDecoder();
  return {
    decodeRequest: (bytes) => {
      try {
        return decodeBatch(bytes, caches) ?? fromBinary(SettleUsageRequestSchema, bytes);
      } catch (cause) {
        throw new AppError("INVALID_ARGUMENT", "The body is not a valid request.", { cause });
      }
    },
    encodeResponse,
    itemsOf: (items) => decodedItems(items, decodeItem),
  };
}

const batchTag = 0x12;
const sequenceTag = 0x08;
const itemTag = 0x12;

/** A request that is one batch and nothing else; undefined for any other. */
function decodeBatch(bytes: Uint8Array, caches: ItemCaches): SettleUsageRequest | undefined {
  if (bytes[0] !== batchTag) return undefined;
  const cursor = openCursor(bytes);
  readTag(cursor);
  if (readLength(cursor) !== cursor.end - cursor.at) return undefined;
  const items: DecodedItem[] = [];
  let sequence = 0n;
  while (cursor.at < cursor.end) {
    const tag = readTag(cursor);
    if (tag === itemTag) items.push(readItem(cursor, readEnd(cursor), caches));
    else if (tag === sequenceTag) sequence = readInt64(cursor);
    else if (tag >>> 3 === 0) throw new MalformedMessageError("a field without a number");
    else skipField(cursor, tag);
  }
  return batchRequest(sequence, items);
}

function readEnd(cursor: ProtoCursor): number {
  const length = readLength(cursor);
  return cursor.at + length;
}

/**
 * Passes decoded items off as the contract's. Sound because the only readers of a batch's items are the settlement
 * stream, which counts them, and `itemsOf`, which knows them apart.
 */
function batchRequest(sequence: bigint, items: readonly DecodedItem[]): SettleUsageRequest {
  const request = create(SettleUsageRequestSchema, {
    message: { case: "batch", value: { sequence } },
  });
  if (request.message.case === "batch") {
    request.message.value.items = items as unknown as UsageItem[];
  }
  return request;
}

/** Tells what this codec decoded from what protobuf-es did (another transport, or a test): only the latter is typed. */
function decodedItems(
  items: readonly (UsageItem | DecodedItem)[],
  decodeItem: DecodeItem,
): readonly DecodedItem[] {
  return items.map((item) =>
    "$typeName" in item ? decodeItem(toBinary(UsageItemSchema, item)) : item,
  );
}

function encodeResponse(response: MessageInitShape<typeof SettleUsageResponseSchema>): Uint8Array {
  const message = create(SettleUsageResponseSchema, response);
  return toBinary(SettleUsageResponseSchema, message);
}
