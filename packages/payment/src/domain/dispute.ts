import type { Nanos } from "@farebox/kit/money";

/** What the provider says of a dispute, and how far Billing has been told. `id` is the provider's. */
export type Dispute = {
  readonly id: string;
  /** 32 lower-case hex digits. */
  readonly paymentId: string;
  readonly orderId: string;
  readonly amount: Nanos;
  readonly currencyCode: string;
  /** Whether the provider has taken the money, and given it back. */
  readonly isWithdrawn: boolean;
  readonly isReinstated: boolean;
  readonly told: DisputeTold;
};

export const disputeTolds = ["NOTHING", "REVERSED", "RETURNED"] as const;
export type DisputeTold = (typeof disputeTolds)[number];

/** What Billing is to be told next. One that is reinstated before Billing knew of it takes nothing and gives nothing back. */
export function nextDisputeStep(
  dispute: Pick<Dispute, "isWithdrawn" | "isReinstated" | "told">,
): "REVERSE" | "RETURN" | "REST" {
  const { isWithdrawn, isReinstated, told } = dispute;
  if (told === "REVERSED") return isReinstated ? "RETURN" : "REST";
  return told === "NOTHING" && isWithdrawn && !isReinstated ? "REVERSE" : "REST";
}
