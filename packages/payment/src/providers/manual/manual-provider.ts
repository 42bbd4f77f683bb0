import type { Pool } from "@farebox/kit/mysql";
import { toMinor } from "../../domain/minor-units.ts";
import type { Payment, PaymentReport } from "../../domain/payment.ts";
import { readTransfer } from "../../store/transfer-store.ts";
import type { PaymentProvider } from "../payment-provider.ts";

/** How long a transfer is waited for. What arrives later can still be proposed and approved, and is credited. */
const waitMsMax = 30 * 86_400_000;

/**
 * Bank transfers that people look for at the bank: one says what arrived (`ProposeTransfer`), another confirms it
 * (`ApproveTransfer`). Its books are our own table, so that it always knows.
 */
export function createManualProvider(deps: {
  readonly pool: Pool;
  readonly isTest: boolean;
  readonly nowMs: () => number;
}): PaymentProvider {
  const read = async (payment: Payment) => {
    const transfer = await readTransfer(deps.pool, payment.id);
    const isLate = deps.nowMs() - payment.createTimeMs > waitMsMax;
    const report: PaymentReport = {
      state: transfer?.approvedBy ? "PAID" : isLate ? "EXPIRED" : "PENDING",
      ...{ sessionId: "", intentId: "", paymentUrl: "", declineCode: "" },
      method: "BANK_TRANSFER",
      isTest: deps.isTest,
      // What was approved is a whole number of the smallest units, as `ProposeTransfer` sees to.
      minor: toMinor(transfer?.amount ?? 0n, payment.currencyCode) ?? 0n,
      currencyCode: payment.currencyCode,
    };
    return { kind: "DONE", value: report } as const;
  };
  return { name: "manual", begin: read, read, find: read };
}
