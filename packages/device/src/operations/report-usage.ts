import type { PoolConnection } from "@farebox/kit/mysql";
import { deviceDimensions } from "@farebox/pricing/device-usage";
import type { Allocation } from "../domain/allocation.ts";
import type { Counted } from "../domain/epoch.ts";
import { owedUsage, qualityOf, type Terms, unreported } from "../domain/owed-usage.ts";
import { changeAllocation } from "../store/allocation-store.ts";
import { sumCounted } from "../store/epoch-store.ts";
import { addWindow } from "../store/window-store.ts";

export const nothingCounted: Counted = {
  cpuNanoseconds: 0n,
  memoryByteMilliseconds: 0n,
  sentBytes: 0n,
  sampleCount: 0,
};

/** What decides what an allocation owes. */
export function termsOf({ ask, modes, isTrafficSold }: Allocation): Terms {
  return { resources: ask.resources, modes, isTrafficSold };
}

/**
 * Puts into the outbox what an allocation owes until a moment, less what was reported before: windows so add up to the whole,
 * exactly, whatever was sampled late. The allocation must be locked by the transaction. Nothing is reported of a period
 * without length. Answers the allocation as it then stands.
 */
export async function reportUsage(
  tx: PoolConnection,
  locked: Allocation,
  of: { readonly untilMs: number; readonly isLast: boolean; readonly nowMs: number },
): Promise<Allocation> {
  const { id, accountId, startMs = 0, reportedMs = startMs } = locked;
  if (of.untilMs <= reportedMs) return locked;
  const counted = (await sumCounted(tx, [id])).get(id) ?? nothingCounted;
  const terms = termsOf(locked);
  const owed = owedUsage(terms, counted, of.untilMs - startMs);
  const rest = unreported(owed, locked.reported);
  const quantities = deviceDimensions
    .filter((it) => it !== "gpuNanoseconds")
    .map((dimension) => ({
      dimension,
      counted: rest[dimension],
      quality: qualityOf(dimension, terms, counted),
    }));
  await addWindow(
    tx,
    {
      ...{ allocationId: id, accountId, kind: "REPORT", quantities, isLast: of.isLast },
      ...{ periodStartMs: reportedMs, periodEndMs: of.untilMs },
    },
    of.nowMs,
  );
  const change = { reportedMs: of.untilMs, reported: owed };
  await changeAllocation(tx, id, change);
  return { ...locked, ...change };
}
