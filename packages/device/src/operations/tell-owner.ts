import { newUuid } from "@farebox/kit/ids";
import type { PoolConnection } from "@farebox/kit/mysql";
import type { Allocation } from "../domain/allocation.ts";
import { addEvent } from "../store/event-store.ts";

/** What the owner of a device is told of. */
export type OwnerEvent =
  | "device.allocated"
  | "device.released"
  | "device.cancelled"
  | "device.extended"
  | "device.money_ending"
  | "device.money_ended"
  | "device.term_ending";

/** Tells the owner, in the transaction that makes it true. */
export function tellOwner(
  tx: PoolConnection,
  type: OwnerEvent,
  allocation: Pick<Allocation, "id" | "accountId" | "ask" | "endReason">,
  nowMs: number,
  facts: Readonly<Record<string, string>> = {},
): Promise<void> {
  return addEvent(tx, {
    eventId: newUuid().toString("hex"),
    type,
    accountId: allocation.accountId,
    subjectId: `alc_${allocation.id}`,
    payload: {
      ...(allocation.ask.userId === "" ? {} : { user_id: allocation.ask.userId }),
      ...(allocation.endReason === undefined ? {} : { end_reason: allocation.endReason }),
      ...facts,
    },
    createMs: nowMs,
  });
}
