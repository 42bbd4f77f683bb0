/** The outcomes that become durable together, and the one promise that they share. */
export class JournalGroup {
  /** Outcomes in the group. */
  size = 0;
  #settled: PromiseWithResolvers<void> | undefined;

  /** Whether nobody waits for it. */
  get isEmpty(): boolean {
    return this.#settled === undefined;
  }

  /** Adds so many outcomes; the promise settles with the group. */
  join(outcomes: number): Promise<void> {
    this.size += outcomes;
    this.#settled ??= Promise.withResolvers<void>();
    return this.#settled.promise;
  }

  resolve(): void {
    this.#settled?.resolve();
  }

  reject(error: Error): void {
    this.#settled?.reject(error);
  }
}
