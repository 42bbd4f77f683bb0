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

/** As with refunds, TAKING is noted before Billing is told: it may know, or not. */
export const disputeTolds = ["NOTHING", "TAKING", "REVERSED", "RETURNED"] as const;
export type DisputeTold = (typeof disputeTolds)[number];

/** What Billing is to be told next. One that is reinstated before Billing knew of it takes nothing and gives nothing back. */
export function nextDisputeStep(
  dispute: Pick<Dispute, "isWithdrawn" | "isReinstated" | "told">,
): "REVERSE" | "RETURN" | "REST" {
  const { isWithdrawn, isReinstated, told } = dispute;
  switch (told) {
    case "NOTHING":
      return isWithdrawn && !isReinstated ? "REVERSE" : "REST";
    case "TAKING":
      return isReinstated ? "RETURN" : "REVERSE";
    case "REVERSED":
      return isReinstated ? "RETURN" : "REST";
    case "RETURNED":
      return "REST";
  }
}
