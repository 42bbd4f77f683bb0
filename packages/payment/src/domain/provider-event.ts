/** How far an event has come. */
export const eventStates = ["PENDING", "DONE", "IGNORED", "PARKED"] as const;
export type EventState = (typeof eventStates)[number];

/** Something that a provider told us. */
export type ProviderEvent = {
  readonly provider: string;
  readonly eventId: string;
  /** Grows with every event that arrives. */
  readonly sequence: bigint;
  readonly type: string;
  readonly objectId: string;
  readonly apiVersion: string;
  readonly state: EventState;
  readonly attempts: number;
  readonly reason: string;
  readonly createTimeMs: number;
};

/** An event as it arrives. */
export type HeardEvent = Pick<
  ProviderEvent,
  "provider" | "eventId" | "type" | "objectId" | "apiVersion"
>;
