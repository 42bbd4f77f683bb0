import { AppError } from "@farebox/kit/app-error";
import { formatId } from "@farebox/kit/ids";
import { noUsage, type Usage } from "@farebox/pricing/usage";
import { AttemptState, UsageSource } from "@farebox/proto/farebox/billing/v1/usage";
import type { AttemptEnd, AttemptOutcome, Receipt } from "./billed-call.ts";
import {
  encodeItemHead,
  encodeItemTail,
  type ItemHead,
  type ItemTail,
  usageItemBytesMax,
} from "./item/encode-usage-item.ts";
import { errorCodeOf, stateNumber, usageSourceNumber } from "./item/item-numbers.ts";
import type { Journal } from "./journal/journal.ts";
import type { Segment } from "./journal/segment.ts";
import { growReservation, type Reservation } from "./lease/lease.ts";
import type { LeaseBook } from "./lease/lease-book.ts";
import type { QuotaPool } from "./lease/quota-pool.ts";
import { type PricedUsage, priceUsage } from "./price-outcome.ts";

/** What holds share. */
export type CallHoldDeps = {
  readonly journal: Journal;
  readonly book: LeaseBook;
  /** Called once for every hold, when it has ended. */
  readonly onEnd: () => void;
};

/**
 * One admitted call: its reservation, and its place in the journal. It must be ended once, by `settle` or `void`, whatever
 * happens to the call; ending it again gives the first answer. If the process dies before that, the next one charges the last
 * checkpoint.
 */
export class CallHold {
  readonly #deps: CallHoldDeps;
  readonly #pool: QuotaPool;
  readonly #head: ItemHead;
  readonly #reservation: Reservation;
  readonly #headBytes: Buffer;
  #intent: Segment;
  #ended: Promise<Receipt> | undefined;

  /** For the interceptor, which has made the reservation. Records the intent. */
  constructor(deps: CallHoldDeps, pool: QuotaPool, head: ItemHead, reservation: Reservation) {
    this.#deps = deps;
    this.#pool = pool;
    this.#head = head;
    this.#reservation = reservation;
    const { journal } = deps;
    const at = journal.begin(usageItemBytesMax(head, intentTail));
    const { bytes } = journal;
    const headEnd = encodeItemHead(bytes, at, head);
    // Kept, because encoding a dozen texts costs more than copying their bytes.
    this.#headBytes = Buffer.copyBytesFrom(bytes, at, headEnd - at);
    this.#intent = journal.commitIntent(encodeItemTail(bytes, headEnd, head, intentTail));
  }

  /** The attempt's UUIDv7, 16 bytes. */
  get attemptId(): Buffer {
    return this.#head.id;
  }

  /** Whether the call is paid with free units. */
  get isFree(): boolean {
    return this.#reservation.units > 0;
  }

  /** What the call may cost. Less than its worst case when `isClamped`: then the caller lowers the output bound to fit. */
  get grantedNanos(): bigint {
    return this.#reservation.nanos;
  }

  get isClamped(): boolean {
    return this.#reservation.isClamped;
  }

  /** Reserves more while the call runs; false when there is no more, and the answer must end. */
  grow(nanos: bigint): boolean {
    return this.#ended === undefined && growReservation(this.#reservation, nanos);
  }

  /**
   * Records what has been delivered so far: what is charged, flagged PARTIAL, should the process die. Call it every second or
   * 512 tokens of a stream. Does nothing once the hold has ended.
   */
  checkpoint(usage: Usage): void {
    if (this.#ended !== undefined) return;
    const priced = priceUsage(this.#head.call.price, this.#reservation, usage, false);
    const end = this.#encode({
      ...intentTail,
      usage,
      usageSource: UsageSource.PARTIAL,
      costNanos: priced.costNanos,
      freeUnits: priced.freeUnits,
    });
    this.#intent = this.#deps.journal.commitCheckpoint(end, this.#intent);
  }

  /**
   * Charges what was used: frees the rest of the reservation at once, and resolves when the outcome is durable, which the last
   * byte of the answer waits for. Rejects with JOURNAL_FULL when it cannot be made durable: the answer must then be broken off.
   */
  settle(outcome: AttemptOutcome): Promise<Receipt> {
    this.#ended ??= this.#end(outcome);
    return this.#ended;
  }

  /** Ends a call that consumed nothing: it costs nothing, and frees its reservation. */
  void(end: AttemptEnd): Promise<Receipt> {
    return this.settle({
      ...end,
      usage: noUsage,
      usageSource: "none",
      providerCostNanos: undefined,
      isAbsurd: false,
    });
  }

  #end(outcome: AttemptOutcome): Promise<Receipt> {
    const { usageSource, usage } = outcome;
    const priced =
      usageSource === "none"
        ? nothingUsed
        : priceUsage(this.#head.call.price, this.#reservation, usage, outcome.isAbsurd);
    const { journal, book } = this.#deps;
    const durable = journal.commitOutcome(this.#encode(tailOf(outcome, priced)), this.#intent);
    book.end(this.#pool, this.#reservation, {
      nanos: priced.costNanos,
      units: priced.freeUnits,
      isCounted: !priced.isQuarantined,
      outcomeEnd: journal.position,
    });
    this.#deps.onEnd();
    const receipt = {
      costNanos: priced.isQuarantined ? 0n : priced.costNanos,
      transactionId: formatId("txn", this.#head.id),
    };
    return durable.then(() => receipt, asJournalFull);
  }

  #encode(tail: ItemTail): number {
    const { journal } = this.#deps;
    const at = journal.begin(usageItemBytesMax(this.#head, tail));
    const headBytes = this.#headBytes;
    journal.bytes.set(headBytes, at);
    return encodeItemTail(journal.bytes, at + headBytes.length, this.#head, tail);
  }
}

function tailOf(outcome: AttemptOutcome, priced: PricedUsage): ItemTail {
  return {
    usage: outcome.usage,
    usageSource: usageSourceNumber(outcome.usageSource),
    state: stateNumber(outcome.state),
    httpStatus: outcome.httpStatus,
    costNanos: priced.costNanos,
    freeUnits: priced.freeUnits,
    providerCostNanos: outcome.providerCostNanos,
    upstreamId: outcome.upstreamId.slice(0, upstreamIdMax),
    latencyMs: wholeMs(outcome.latencyMs),
    timeToFirstTokenMs:
      outcome.timeToFirstTokenMs === undefined ? undefined : wholeMs(outcome.timeToFirstTokenMs),
    errorCode: errorCodeOf(priced.isQuarantined ? "USAGE_ABSURD" : outcome.errorReason),
  };
}

function wholeMs(ms: number): number {
  return ms > 0 ? Math.round(ms) : 0;
}

function asJournalFull(cause: unknown): never {
  throw new AppError("JOURNAL_FULL", undefined, { cause });
}

/** What Billing keeps of it; a provider may send anything. */
const upstreamIdMax = 128;

const nothingUsed: PricedUsage = Object.freeze({
  costNanos: 0n,
  freeUnits: 0,
  isQuarantined: false,
});

/** What is charged if the process dies before anything else is recorded: nothing, in the open. */
const intentTail: ItemTail = Object.freeze({
  usage: noUsage,
  usageSource: UsageSource.NONE,
  state: AttemptState.INTERRUPTED,
  httpStatus: 0,
  costNanos: 0n,
  freeUnits: 0,
  providerCostNanos: undefined,
  upstreamId: "",
  latencyMs: 0,
  timeToFirstTokenMs: undefined,
  errorCode: 0,
});
