/** How fast something is spent: an average over about the last two seconds, or over its life while that is shorter. */
export class SpendRate {
  #perMs = 0;
  #unfolded = 0;
  #foldedAtMs: number;
  readonly #bornMs: number;

  constructor(nowMs: number) {
    this.#foldedAtMs = nowMs;
    this.#bornMs = nowMs;
  }

  /** Counts an amount. Cheap: no clock is read. */
  add(amount: number): void {
    this.#unfolded += amount;
  }

  /** What is spent per millisecond, as of now. An approximation: it only sizes wishes, never charges. */
  perMs(nowMs: number): number {
    const elapsedMs = nowMs - this.#foldedAtMs;
    if (elapsedMs < foldMs) return Math.max(this.#perMs, this.#unfolded / foldMs);
    const weight = elapsedMs / Math.min(nowMs - this.#bornMs, elapsedMs + memoryMs);
    this.#perMs += weight * (this.#unfolded / elapsedMs - this.#perMs);
    this.#unfolded = 0;
    this.#foldedAtMs = nowMs;
    return this.#perMs;
  }
}

/** Shorter stretches say nothing about a rate. */
const foldMs = 100;
const memoryMs = 2000;
