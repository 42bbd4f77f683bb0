import { AppError, fieldError } from "@farebox/kit/app-error";
import { inTransaction } from "@farebox/kit/mysql";
import type { Payment } from "../domain/payment.ts";
import { decideApproval } from "../domain/transfer.ts";
import { lockPayment, makeDue, readPayment } from "../store/payment-store.ts";
import { lockTransfer, approveTransfer as writeApproval } from "../store/transfer-store.ts";
import { advancePayment } from "./advance-payment.ts";
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
  if (await keepApproval(deps, input)) deps.events.transferApproved(input);
  await advancePayment(deps, input.paymentId);
  const payment = await readPayment(deps.pool, { id: input.paymentId });
  if (payment === undefined) throw new AppError("PAYMENT_NOT_FOUND");
  return payment;
}

/**
 * Writes an approval and makes its payment due, in one transaction: from then on the janitor credits it, whatever happens to
 * this process. Answers whether it is the first. Errors: as `approveTransfer`.
 */
export function keepApproval(
  { pool, clock }: Pick<PaymentDeps, "pool" | "clock">,
  input: TransferInput,
): Promise<boolean> {
  const { paymentId, person } = input;
  return inTransaction(pool, async (tx) => {
    const payment = requireManual(await lockPayment(tx, { id: paymentId }), input);
    switch (decideApproval(await lockTransfer(tx, paymentId), input)) {
      case "NOTHING_PROPOSED":
        throw wrongState(payment);
      case "OTHER_AMOUNT":
        throw fieldError("amount", "is not what was proposed");
      case "OTHER_REFERENCE":
        throw fieldError("bank_reference", "is not what was proposed");
      case "SAME_PERSON":
        throw new AppError("SECOND_PERSON_REQUIRED");
      case "APPROVED_ALREADY":
        return false;
      case "APPROVE": {
        const nowMs = clock.nowMs();
        await writeApproval(tx, paymentId, { person, nowMs });
        await makeDue(tx, paymentId, nowMs);
        return true;
      }
    }
  });
}
