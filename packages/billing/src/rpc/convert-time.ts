import { type Duration, durationMs, type Timestamp, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { fieldError } from "@farebox/kit/app-error";

/** The last millisecond that a DATETIME column holds. */
const latestMs = 253_402_300_799_999;

/** Reads an instant, cut to milliseconds; undefined when unset. Errors: INVALID_ARGUMENT outside 1970 to 9999. */
export function fromTimestamp(time: Timestamp | undefined, field: string): number | undefined {
  if (time === undefined) return undefined;
  const ms = Number(time.seconds) * 1000 + Math.floor(time.nanos / 1_000_000);
  const isWhole = time.nanos >= 0 && time.nanos < 1_000_000_000;
  if (!isWhole || !(ms >= 0 && ms <= latestMs)) {
    throw fieldError(field, "must be a time from 1970 to 9999");
  }
  return ms;
}

/** An instant as the contract carries it; unset for none. */
export function toTimestamp(ms: number | undefined): Timestamp | undefined {
  return ms === undefined ? undefined : timestampFromMs(ms);
}

/** Reads a length of time in milliseconds; zero when unset. */
export function fromDuration(duration: Duration | undefined): number {
  return duration === undefined ? 0 : durationMs(duration);
}
