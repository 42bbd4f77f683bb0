import { AppError, fieldError } from "@farebox/kit/app-error";
import type { Nanos } from "@farebox/kit/money";
import { inTransaction, isDuplicate } from "@farebox/kit/mysql";
import { toMinor } from "../domain/minor-units.ts";
import type { Payment } from "../domain/payment.ts";
import { decideProposal } from "../domain/transfer.ts";
import { lockPayment } from "../store/payment-store.ts";
import { lockTransfer, saveProposal } from "../store/transfer-store.ts";
import type { PaymentDeps } from "./payment-deps.ts";

export type TransferInput = {
  readonly paymentId: string;
  readonly amount: Nanos;
  /** Empty for the payment's own. */
  readonly currencyCode: string;
  readonly bankReference: string;
  /** Who says so. */
  readonly person: string;
};

/**
 * Notes that a transfer arrived for a payment of the manual provider; another person approves it. Proposed again with the
 * same content it stays as it was, whoever asks; with other content it is replaced, and whoever wrote it last proposed it.
 *
 * Errors: INVALID_ARGUMENT, PAYMENT_NOT_FOUND, PAYMENT_WRONG_STATE.
 */
export async function proposeTransfer(deps: PaymentDeps, input: TransferInput): Promise<Payment> {
  const { paymentId, amount, bankReference, person } = input;
  try {
    return await inTransaction(deps.pool, async (tx) => {
      const payment = requireManual(await lockPayment(tx, { id: paymentId }), input);
      const known = await lockTransfer(tx, paymentId);
      const decision = decideProposal(payment, known, input);
      if (decision === "KEEP") return payment;
      if (decision === "WRONG_STATE") throw wrongState(payment);
      const proposed = { proposedBy: person, proposeTimeMs: deps.clock.nowMs(), approvedBy: "" };
      const transfer = { paymentId, amount, bankReference, ...proposed };
      await saveProposal(tx, transfer, known !== undefined);
      return payment;
    });
  } catch (error) {
    if (!isDuplicate(error)) throw error;
    throw fieldError("bank_reference", "pays for another payment already");
  }
}

/** A payment that transfers can be confirmed for, and an amount that can have arrived for it. */
export function requireManual(
  payment: Payment | undefined,
  { amount, currencyCode }: TransferInput,
): Payment {
  if (payment === undefined) throw new AppError("PAYMENT_NOT_FOUND");
  if (payment.provider !== "manual") throw wrongState(payment);
  if (currencyCode !== "" && currencyCode !== payment.currencyCode) {
    throw fieldError("amount.currency_code", `must be ${payment.currencyCode}`);
  }
  if (toMinor(amount, payment.currencyCode) === undefined) {
    throw fieldError("amount", "must be above zero and a whole number of the smallest units");
  }
  return payment;
}

/** It cannot be done in the state that the payment is in. */
export function wrongState({ state, provider }: Payment): AppError {
  return new AppError("PAYMENT_WRONG_STATE", undefined, { metadata: { state, provider } });
}
