import { inTransaction } from "@farebox/kit/mysql";
import { foldSample, type Sample } from "../domain/epoch.ts";
import { markSeen } from "../store/allocation-store.ts";
import { beginEpochs, type EpochKey, lockEpochs, saveEpochs } from "../store/epoch-store.ts";
import type { DeviceDeps } from "./device-deps.ts";

/** A sample, and the run that it is of. */
export type KeyedSample = EpochKey & { readonly sample: Sample };

/** Memory is not known between samples further apart than so many ticks. */
const gapTicksMax = 3;

/**
 * Folds samples into their epochs, and notes which devices were seen running, all in one transaction. The same samples again,
 * older ones, or those of a second collector change nothing but what nobody had seen.
 */
export async function keepSamples(
  { pool, terms }: Pick<DeviceDeps, "pool" | "terms">,
  samples: readonly KeyedSample[],
  seen: { readonly ids: readonly string[]; readonly seenMs: number } = { ids: [], seenMs: 0 },
): Promise<void> {
  if (samples.length === 0 && seen.ids.length === 0) return;
  const bySpelling = Map.groupBy(samples, spellingOf);
  const keys = [...bySpelling.values()].flatMap(([first]) => first ?? []);
  const gapMsMax = gapTicksMax * terms.tickMs;
  await inTransaction(pool, async (tx) => {
    let locked = await lockEpochs(tx, keys);
    if (locked.length < keys.length) {
      await beginEpochs(tx, keys);
      locked = await lockEpochs(tx, keys);
    }
    const folded = locked.map((it) => ({
      ...it,
      epoch: (bySpelling.get(spellingOf(it)) ?? []).reduce(
        (epoch, { sample }) => foldSample(epoch, sample, gapMsMax),
        it.epoch,
      ),
    }));
    await saveEpochs(tx, folded);
    await markSeen(tx, seen.ids, seen.seenMs);
  });
}

function spellingOf({ allocationId, startedAt }: EpochKey): string {
  return `${allocationId} ${startedAt}`;
}
