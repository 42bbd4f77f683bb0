import type { Exchange } from "./exchange.ts";

/** The upstream calls in flight, each looked at once a second. */
export class LiveExchanges implements Disposable {
  readonly #live = new Set<Exchange>();
  readonly #timer: NodeJS.Timeout;

  /** Starts looking. A client that has not read for `idleMsMax` is given up. */
  constructor(options: { readonly idleMsMax: number; readonly monotonicMs: () => number }) {
    this.#timer = setInterval(() => {
      const nowMs = options.monotonicMs();
      for (const exchange of this.#live) exchange.tick(nowMs, options.idleMsMax);
    }, lookMs);
    this.#timer.unref();
  }

  get size(): number {
    return this.#live.size;
  }

  add(exchange: Exchange): void {
    this.#live.add(exchange);
  }

  delete(exchange: Exchange): void {
    this.#live.delete(exchange);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/** How often a stream's reservation is looked at and its use is noted, besides every 500 tokens or so. */
const lookMs = 1000;
