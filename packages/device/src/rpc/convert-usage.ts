import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { fieldError } from "@farebox/kit/app-error";
import { isReason } from "@farebox/kit/reasons";
import { ErrorReason } from "@farebox/proto/farebox/common/v1/error_reason";
import {
  DeliveryState,
  type EpochSchema,
  type LiveFiguresSchema,
  type UsageWindowSchema,
  WindowKind,
} from "@farebox/proto/farebox/device/v1/metering";
import type { Epoch } from "../domain/epoch.ts";
import type { UsageWindow } from "../domain/usage-window.ts";
import { protoQuantities } from "../operations/proto-quantities.ts";
import type { LiveFigures } from "../operations/show-samples.ts";

export function toProtoWindow(
  window: UsageWindow,
  currencyCode: string,
): MessageInitShape<typeof UsageWindowSchema> {
  const { error, charged } = window;
  return {
    id: `dut_${window.id}`,
    allocationId: `alc_${window.allocationId}`,
    accountId: window.accountId,
    kind: WindowKind[window.kind],
    periodStart: timestampFromMs(window.periodStartMs),
    periodEnd: timestampFromMs(window.periodEndMs),
    quantities: protoQuantities(window.quantities),
    state: DeliveryState[window.state],
    attempts: window.attempts,
    error: isReason(error) ? ErrorReason[error] : ErrorReason.UNSPECIFIED,
    ...(charged === undefined ? {} : { charged: { amountNanos: charged, currencyCode } }),
  };
}

export function toProtoEpoch(
  startedAt: string,
  epoch: Epoch,
): MessageInitShape<typeof EpochSchema> {
  const { firstReadMs, lastReadMs } = epoch;
  return {
    startedAt,
    cpuNanoseconds: epoch.cpuNanoseconds.toString(),
    sentBytes: epoch.sentBytes,
    receivedBytes: epoch.receivedBytes,
    readBytes: epoch.readBytes,
    writtenBytes: epoch.writtenBytes,
    memoryByteMilliseconds: epoch.memoryByteMilliseconds.toString(),
    unknownMilliseconds: BigInt(epoch.unknownMs),
    sampleCount: BigInt(epoch.sampleCount),
    ...(firstReadMs === undefined ? {} : { firstReadTime: timestampFromMs(firstReadMs) }),
    ...(lastReadMs === undefined ? {} : { lastReadTime: timestampFromMs(lastReadMs) }),
  };
}

export function toProtoLive(live: LiveFigures): MessageInitShape<typeof LiveFiguresSchema> {
  const { sampleMs, ...figures } = live;
  return { ...figures, sampleTime: timestampFromMs(sampleMs) };
}

/** Reads the number of a window. Errors: INVALID_ARGUMENT. */
export function fromWindowId(text: string): bigint {
  const digits = /^dut_(\d{1,18})$/.exec(text)?.[1];
  if (digits === undefined) throw fieldError("window_id", "must be dut_ and a number");
  return BigInt(digits);
}
