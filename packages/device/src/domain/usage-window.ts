import type { Nanos } from "@farebox/kit/money";
import type { DeviceDimension } from "@farebox/pricing/device-usage";
import type { Quality } from "./owed-usage.ts";

/** What Billing is told: see the contract's WindowKind. */
export const windowKinds = ["REPORT", "RELEASE", "UNDO"] as const;
export type WindowKind = (typeof windowKinds)[number];
/** Whether Billing has it: see the contract's DeliveryState. */
export const deliveryStates = ["PENDING", "DELIVERED", "DEAD"] as const;
export type DeliveryState = (typeof deliveryStates)[number];

/** How much of one dimension, in what it is counted in. */
export type Quantity = {
  readonly dimension: DeviceDimension;
  readonly counted: bigint;
  readonly quality: Quality;
};

/** Something that Billing is to be told. */
export type UsageWindow = {
  readonly id: bigint;
  readonly allocationId: string;
  readonly accountId: string;
  readonly kind: WindowKind;
  readonly periodStartMs: number;
  readonly periodEndMs: number;
  readonly quantities: readonly Quantity[];
  /** Whether the lease is closed with it. */
  readonly isLast: boolean;
  readonly state: DeliveryState;
  readonly attempts: number;
  /** A reason's name; empty for none. */
  readonly error: string;
  readonly charged: Nanos | undefined;
};
