/** Milliseconds in a day of UTC. */
export const dayMs = 86_400_000;

/** Midnight UTC at or before a time. */
export function dayStartMs(timeMs: number): number {
  return Math.floor(timeMs / dayMs) * dayMs;
}

/**
 * The first day, by midnight UTC, whose transactions are kept in `usage_transaction`. An item whose id was made earlier
 * belongs into `usage_late`. The job drops a day's partition only one day after this has left it, so that processes
 * whose clocks differ never write into a partition that is being dropped. 0 days means that nothing is ever dropped.
 */
export function oldestKeptDayMs(nowMs: number, retentionDays: number): number {
  return retentionDays === 0 ? 0 : dayStartMs(nowMs) - retentionDays * dayMs;
}

/** The smallest UUIDv7 that can be made at a time, as 32 hexadecimal digits: ids sort before or after it by time. */
export function uuidFloorHex(timeMs: number): string {
  return Math.max(0, timeMs).toString(16).padStart(12, "0").padEnd(32, "0");
}
