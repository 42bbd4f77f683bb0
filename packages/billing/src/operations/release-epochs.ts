import { inTransaction } from "@farebox/kit/mysql";
import type { Released } from "../lease-events.ts";
import { readClaimsOfEpochs, voidClaims } from "../store/lost-claim-store.ts";
import { readLeasesOfEpochs } from "../store/lost-lease-store.ts";
import { type ReleaseLeasesDeps, releaseLeases } from "./release-leases.ts";

export type ReleaseEpochsDeps = ReleaseLeasesDeps;

export type ReleaseEpochsInput = { readonly gatewayId: Buffer; readonly upToEpoch: bigint };

/** How many leases or claims one transaction touches, so that none of them is long. */
const batchMax = 200;
/** How many batches one run does; what is left is for the sweeper's next. */
const batchesMax = 500;

/**
 * Returns all that epochs of a gateway still hold: the rest of their leases to the accounts, and the claims of attempts
 * that died without an outcome to the clients. For epochs from which nothing more is expected; what turns up all the
 * same is charged as LATE. Repeating it, or doing it in two processes at once, releases everything once.
 */
export async function releaseEpochs(
  deps: ReleaseEpochsDeps,
  input: ReleaseEpochsInput,
): Promise<Released> {
  const { pool } = deps;
  const { gatewayId, upToEpoch } = input;
  const leaseCount = await inBatches(
    () => inTransaction(pool, (tx) => readLeasesOfEpochs(tx, gatewayId, upToEpoch, batchMax)),
    async (leases) => (await releaseLeases(deps, { leases, state: "RELEASED" })).length,
  );
  const claimCount = await inBatches(
    () => inTransaction(pool, (tx) => readClaimsOfEpochs(tx, gatewayId, upToEpoch, batchMax)),
    (claims) => inTransaction(pool, (tx) => voidClaims(tx, gatewayId, upToEpoch, claims)),
  );
  return { leaseCount, claimCount };
}

async function inBatches<T>(
  read: () => Promise<readonly T[]>,
  write: (batch: readonly T[]) => Promise<number>,
): Promise<number> {
  let written = 0;
  for (let batch = 0; batch < batchesMax; batch += 1) {
    const rows = await read();
    if (rows.length === 0) break;
    const count = await write(rows);
    written += count;
    // Another process does the same work: what is left is its own.
    if (count === 0) break;
  }
  return written;
}
