import type { Nanos } from "@farebox/kit/money";
import type { Payment } from "./payment.ts";

/** Money that arrived at the bank for a payment, as one person says and another confirms. */
export type Transfer = {
  readonly paymentId: string;
  readonly amount: Nanos;
  /** The bank's own reference of it: one transfer pays for one payment. */
  readonly bankReference: string;
  readonly proposedBy: string;
  readonly proposeTimeMs: number;
  /** Empty until it is approved. */
  readonly approvedBy: string;
};

/** What a payer writes on a transfer, so that it can be told which payment it is for. Letters that look alike are left out. */
const codeLetters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** The code of a payment's transfer from random bytes, for example "FB-7K2M9-QX4TD": 50 bits of them. Throws below ten bytes. */
export function transferCode(random: Uint8Array): string {
  if (random.length < 10) throw new Error("a transfer code takes ten random bytes");
  const letters = Array.from(random.subarray(0, 10), (byte) => codeLetters[byte % 32]).join("");
  return `FB-${letters.slice(0, 5)}-${letters.slice(5)}`;
}

const referenceLettersMax = 128;

/**
 * A bank's reference as it is compared: without spaces, in capitals, and in one form of each letter (Unicode NFKC), so that
 * one transfer pays once however people copy it. Undefined when nothing is left of it, or more than 128 letters.
 */
export function normalReference(text: string): string | undefined {
  const reference = text
    .normalize("NFKC")
    .replace(/[\s\p{Cf}]/gu, "")
    .toUpperCase();
  return reference === "" || reference.length > referenceLettersMax ? undefined : reference;
}

/** What one person says that arrived. */
export type TransferWords = Pick<Transfer, "amount" | "bankReference">;

/** Whether a proposal is written: KEEP when it says nothing new, WRONG_STATE when there is nothing left to say. */
export function decideProposal(
  { state }: Pick<Payment, "state">,
  known: (TransferWords & Pick<Transfer, "approvedBy">) | undefined,
  said: TransferWords,
): "WRITE" | "KEEP" | "WRONG_STATE" {
  if (known !== undefined && isSame(known, said)) return "KEEP";
  if (known !== undefined && known.approvedBy !== "") return "WRONG_STATE";
  return state === "PENDING" || state === "EXPIRED" ? "WRITE" : "WRONG_STATE";
}

/** Whether an approval counts. It repeats the words of the proposal, so that nobody approves what they did not read. */
export function decideApproval(
  proposed: Transfer | undefined,
  said: TransferWords & { readonly person: string },
):
  | "APPROVE"
  | "APPROVED_ALREADY"
  | "NOTHING_PROPOSED"
  | "OTHER_AMOUNT"
  | "OTHER_REFERENCE"
  | "SAME_PERSON" {
  if (proposed === undefined) return "NOTHING_PROPOSED";
  if (proposed.amount !== said.amount) return "OTHER_AMOUNT";
  if (proposed.bankReference !== said.bankReference) return "OTHER_REFERENCE";
  if (proposed.approvedBy !== "") return "APPROVED_ALREADY";
  return proposed.proposedBy === said.person ? "SAME_PERSON" : "APPROVE";
}

function isSame(known: TransferWords, said: TransferWords): boolean {
  return known.amount === said.amount && known.bankReference === said.bankReference;
}
