import type { Nanos } from "@farebox/kit/money";

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
