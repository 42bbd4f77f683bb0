import { newUuid } from "@farebox/kit/ids";
import type { Nanos } from "@farebox/kit/money";
import { type Reason, reasonAnswer } from "@farebox/kit/reasons";
import type { Statements } from "./in-one-trip.ts";
import { insertRows } from "./insert-rows.ts";
import { quoteHex, quoteHexOrNull, quoteText, quoteTime } from "./sql-text.ts";

/** An item to put aside. `key` is unique in its account. */
export type NewDeadLetter = {
  /** Empty for an item that names no account this installation could have. */
  readonly accountId: string;
  /** In hex. */
  readonly key: string;
  /** The item as it arrived. */
  readonly encoded: Uint8Array;
  readonly reason: Reason;
  readonly field: string;
  /** In hex; empty for none. */
  readonly leaseId: string;
  readonly held: Nanos;
};

/** Puts items aside for an operator. One that is there already stays as it is. */
export async function insertDeadLetters(
  tx: Statements,
  letters: readonly NewDeadLetter[],
  nowMs: number,
): Promise<void> {
  const createTime = quoteTime(nowMs);
  const columns = [
    { name: "id", literal: () => quoteHex(newUuid().toString("hex")) },
    { name: "account_id", literal: (letter: NewDeadLetter) => quoteText(letter.accountId) },
    { name: "item_id", literal: (letter: NewDeadLetter) => quoteHex(letter.key) },
    {
      name: "item",
      literal: (letter: NewDeadLetter) => quoteHex(Buffer.from(letter.encoded).toString("hex")),
    },
    {
      name: "reason",
      literal: (letter: NewDeadLetter) => String(reasonAnswer(letter.reason).number),
    },
    { name: "field", literal: (letter: NewDeadLetter) => quoteText(letter.field) },
    { name: "lease_id", literal: (letter: NewDeadLetter) => quoteHexOrNull(letter.leaseId) },
    { name: "held", literal: (letter: NewDeadLetter) => String(letter.held) },
    { name: "state", literal: () => "'OPEN'" },
    { name: "create_time", literal: () => createTime },
  ];
  const tail = () =>
    "ON DUPLICATE KEY UPDATE settlement_dead_letter.id = settlement_dead_letter.id";
  await insertRows(tx, { table: "settlement_dead_letter", columns, tail }, letters);
}
