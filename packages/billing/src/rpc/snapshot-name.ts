import { formatId } from "@farebox/kit/ids";
import { canonicalSnapshot, type PriceSnapshot } from "@farebox/pricing/snapshot";
import { snapshotId } from "../prices/snapshot-shelf.ts";

/** The id of a snapshot as the contract spells it. */
export function snapshotName(snapshot: PriceSnapshot): string {
  return formatId("prs", snapshotId(canonicalSnapshot(snapshot)));
}
