import { AppError, fieldError } from "@farebox/kit/app-error";
import { inTransaction } from "@farebox/kit/mysql";
import type { Payment } from "../domain/payment.ts";
import { lockPayment, readPayment } from "../store/payment-store.ts";
import { lockTransfer, approveTransfer as writeApproval } from "../store/transfer-store.ts";
import { reopenPayment } from "./advance-payment.ts";
import type { PaymentDeps } from "./payment-deps.ts";
import { requireManual, type TransferInput, wrongState } from "./propose-transfer.ts";

/**
 * Confirms what another person proposed, in the words of the proposal, so that nobody approves what they did not read; then
 * the order is credited, or parked when something else arrived than was asked for. Approving again answers the same. Should
 * the process die or Billing not answer, the janitor goes on.
 *
 * Errors: INVALID_ARGUMENT, PAYMENT_NOT_FOUND, PAYMENT_WRONG_STATE when nothing is proposed, SECOND_PERSON_REQUIRED.
 */
export async function approveTransfer(deps: PaymentDeps, input: TransferInput): Promise<Payment> {
  const { paymentId, amount, bankReference, person } = input;
  const isFirst = await inTransaction(deps.pool, async (tx) => {
    const payment = requireManual(await lockPayment(tx, { id: paymentId }), input);
    const transfer = await lockTransfer(tx, paymentId);
    if (transfer === undefined) throw wrongState(payment);
    if (transfer.amount !== amount) throw fieldError("amount", "is not what was proposed");
    if (transfer.bankReference !== bankReference) {
      throw fieldError("bank_reference", "is not what was proposed");
    }
    if (transfer.approvedBy !== "") return false;
    if (transfer.proposedBy === person) throw new AppError("SECOND_PERSON_REQUIRED");
    await writeApproval(tx, paymentId, { person, nowMs: deps.clock.nowMs() });
    return true;
  });
  if (isFirst) deps.events.transferApproved(input);
  await reopenPayment(deps, paymentId);
  const payment = await readPayment(deps.pool, { id: paymentId });
  if (payment === undefined) throw new AppError("PAYMENT_NOT_FOUND");
  return payment;
}
