import type { Nanos } from "@farebox/kit/money";
import type { DeviceUsage } from "@farebox/pricing/device-usage";
import type { DeviceAsk } from "./device-ask.ts";
import type { PriceModes } from "./owed-usage.ts";

/** In the order of a life; the last two are its ends. The contract says what each means. */
export const allocationStates = [
  "QUEUED",
  "BOOKED",
  "PLACED",
  "RUNNING",
  "RELEASING",
  "RELEASED",
  "CANCELLED",
] as const;
export type AllocationState = (typeof allocationStates)[number];

export const endReasons = [
  "RELEASED",
  "TERM_ENDED",
  "MONEY_ENDED",
  "CONTAINER_EXITED",
  "NODE_LOST",
  "NO_MONEY",
  "START_FAILED",
  "QUEUE_EXPIRED",
  "ROLLED_BACK",
] as const;
export type EndReason = (typeof endReasons)[number];

/**
 * What is known of the money at Billing. ASKED is written before the question, so that a lost answer is asked for again:
 * a lease may then be open that nobody here knows the name of.
 */
export const holdStates = ["NONE", "ASKED", "HELD", "UNSECURED"] as const;
export type HoldState = (typeof holdStates)[number];

/** One device given to one account. Times are milliseconds since 1970 by the service's clock. */
export type Allocation = {
  /** 32 hex digits; so is `nodeId`. */
  readonly id: string;
  readonly accountId: string;
  readonly requestId: string;
  /** Of what was asked, so that an id cannot be used for something else. */
  readonly contentSha256: string;
  readonly ask: DeviceAsk;
  readonly state: AllocationState;
  readonly endReason: EndReason | undefined;
  readonly endNote: string;
  /** Empty while it has no place. */
  readonly nodeId: string;
  /** Empty until a container was made. */
  readonly containerId: string;
  readonly bookMs: number | undefined;
  /** When it got its place, to start at once. */
  readonly placedMs: number | undefined;
  /** Until when it waits for room. */
  readonly queueUntilMs: number | undefined;
  readonly startMs: number | undefined;
  readonly leaseEndMs: number | undefined;
  /** When it was last seen running. */
  readonly seenMs: number | undefined;
  readonly endMs: number | undefined;
  /** The term with its extensions, in milliseconds. */
  readonly termMs: number;
  readonly modes: PriceModes;
  /** Whether its node measures traffic. */
  readonly isTrafficSold: boolean;
  readonly holdState: HoldState;
  /** "lse_…"; empty for none. */
  readonly leaseId: string;
  readonly hold: Nanos;
  readonly currencyCode: string;
  readonly rateCardJson: string;
  /** Until when usage was reported, and how much in all. */
  readonly reportedMs: number | undefined;
  readonly reported: DeviceUsage;
  readonly stopMs: number | undefined;
  /** How often Billing was asked for more on the lease: names the next such question. */
  readonly moneyAsks: number;
  /** The question that Billing has not answered yet: it is asked alike until it has. */
  readonly moneyAsk: { readonly amount: Nanos; readonly restMs: number } | undefined;
  readonly createMs: number;
};

/** States that keep room on a node. */
export const placedStates = ["BOOKED", "PLACED", "RUNNING", "RELEASING"] as const;
/** States that count as a device of the account. */
export const openStates = ["QUEUED", ...placedStates] as const;

const transitions: { readonly [From in AllocationState]: readonly AllocationState[] } = {
  QUEUED: ["PLACED", "CANCELLED"],
  BOOKED: ["PLACED", "CANCELLED"],
  PLACED: ["RUNNING", "CANCELLED"],
  RUNNING: ["RELEASING"],
  RELEASING: ["RELEASED"],
  RELEASED: [],
  CANCELLED: [],
};

/** Whether an allocation may go from one state to another. */
export function mayBecome(from: AllocationState, to: AllocationState): boolean {
  return transitions[from].includes(to);
}

/** When an allocation ends that is to end now for this reason: never after its term, and when it was last seen if it was lost. */
export function endOf(
  allocation: Pick<Allocation, "startMs" | "leaseEndMs" | "seenMs">,
  reason: EndReason,
  nowMs: number,
): number {
  const { startMs = nowMs, leaseEndMs = nowMs, seenMs = startMs } = allocation;
  const wasLost = reason === "NODE_LOST" || reason === "CONTAINER_EXITED";
  return Math.max(startMs, Math.min(wasLost ? seenMs : nowMs, leaseEndMs));
}
