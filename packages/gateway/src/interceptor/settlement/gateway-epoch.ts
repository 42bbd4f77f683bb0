import type { Clock } from "@farebox/kit/clock";

/** One epoch of the gateway: leases belong to it, and what they still owe Billing is counted on it. */
export type Epoch = {
  readonly number: bigint;
  /** Calls in flight on leases of this epoch. */
  callsInFlight: number;
  /** Where the last outcome of this epoch ends in the journal. */
  lastOutcome: number;
};

/**
 * The epoch that Billing gave this gateway, and for how long its leases may still be spent from: by the larger of monotonic
 * and wall time since the last renewal that was answered, counted from when it was sent. A machine that slept or a clock
 * that jumped can only make leases end early.
 */
export class GatewayEpoch {
  readonly #clock: Clock;
  #current: Epoch | undefined;
  #older: Epoch[] = [];
  #validForMs = 0;
  #renewed: Instant = { wallMs: 0, monotonicMs: 0 };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The epoch that new leases belong to; undefined before the first welcome. */
  get current(): Epoch | undefined {
    return this.#current;
  }

  /** Whether leases of the current epoch may be spent from now. */
  get isValid(): boolean {
    const { wallMs, monotonicMs } = this.#renewed;
    const elapsed = Math.max(this.#clock.monotonicMs() - monotonicMs, this.#clock.nowMs() - wallMs);
    return elapsed < this.#validForMs;
  }

  /** Takes Billing's welcome to a hello sent then; returns whether the epoch is a new one. */
  welcome(number: bigint, validForMs: number, sentAt: Instant): boolean {
    this.#validForMs = validForMs;
    this.#renewed = sentAt;
    if (this.#current?.number === number) return false;
    if (this.#current !== undefined) this.#older.push(this.#current);
    this.#current = { number, callsInFlight: 0, lastOutcome: 0 };
    return true;
  }

  /** Takes Billing's answer to a renewal sent then. */
  renew(sentAt: Instant): void {
    this.#renewed = sentAt;
  }

  /** Whether no call of an older epoch runs and Billing has answered for all their outcomes. */
  isDrained(acknowledged: number): boolean {
    return this.#older.every(
      ({ callsInFlight, lastOutcome }) => callsInFlight === 0 && lastOutcome <= acknowledged,
    );
  }

  /** Forgets the older epochs, once Billing knows that they are drained. */
  forgetOlder(): void {
    this.#older = [];
  }

  now(): Instant {
    return { wallMs: this.#clock.nowMs(), monotonicMs: this.#clock.monotonicMs() };
  }
}

/** The same moment by both clocks. */
export type Instant = { readonly wallMs: number; readonly monotonicMs: number };
