import { createQuotaPool, type QuotaPool } from "./quota-pool.ts";

/** The pools in memory, one an account and service. Bounded; idle ones are let go. */
export class PoolMap {
  readonly #services = new Map<string, Map<string, QuotaPool>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The pool, made on first use; undefined when there is no room for another. */
  open(accountId: string, service: string, nowMs: () => number): QuotaPool | undefined {
    const known = this.#services.get(service)?.get(accountId);
    if (known !== undefined) return known;
    if (this.#size >= poolsMax) return undefined;
    let accounts = this.#services.get(service);
    if (accounts === undefined) {
      accounts = new Map();
      this.#services.set(service, accounts);
    }
    const pool = createQuotaPool(accountId, service, nowMs());
    accounts.set(accountId, pool);
    this.#size++;
    return pool;
  }

  *all(): Iterable<QuotaPool> {
    for (const accounts of this.#services.values()) yield* accounts.values();
  }

  *ofAccount(accountId: string): Iterable<QuotaPool> {
    for (const accounts of this.#services.values()) {
      const pool = accounts.get(accountId);
      if (pool !== undefined) yield pool;
    }
  }

  /** Lets go of a pool that holds nothing; keeps any other. */
  forget(pool: QuotaPool): void {
    const holds = pool.lease ?? pool.waiting[0];
    if (holds !== undefined || pool.isAsking || pool.isClosing) return;
    if (this.#services.get(pool.service)?.delete(pool.accountId) === true) this.#size--;
  }
}

const poolsMax = 200_000;
