import type { Nanos } from "@farebox/kit/money";

/** An item that could not be settled, and what is held for it until it is replayed or voided. */
export type DeadLetter = {
  /** 32 lower-case hex digits; sorts by age. */
  readonly id: string;
  /** As the item names it; it may not exist. */
  readonly accountId: string;
  /** Of the account; empty when there is no such account. */
  readonly currencyCode: string;
  /** The lease that the item names, as hex; empty for none. */
  readonly leaseId: string;
  /** The item as it arrived: a UsageItem in protobuf's binary form, possibly malformed. */
  readonly item: Uint8Array;
  /** The number of the reason that stopped it. */
  readonly reason: number;
  /** The field at fault, when one is. */
  readonly field: string;
  readonly held: Nanos;
  readonly state: DeadLetterState;
  readonly createTimeMs: number;
};

export type DeadLetterState = (typeof deadLetterStates)[number];

/** As they are stored: waiting for an operator, settled after all, given up. */
export const deadLetterStates = ["OPEN", "REPLAYED", "VOIDED"] as const;
