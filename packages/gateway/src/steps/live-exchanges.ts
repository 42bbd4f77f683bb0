import { Roster } from "../domain/roster.ts";
import type { Exchange } from "./exchange.ts";

/** The upstream calls in flight, each looked at once a second. */
export class LiveExchanges implements Disposable {
  readonly #live = new Roster<Exchange>();
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

  /** Answers the place, by which the exchange is removed when it has ended. */
  add(exchange: Exchange): number {
    return this.#live.add(exchange);
  }

  remove(place: number): void {
    this.#live.remove(place);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/** How often a stream's reservation is looked at and its use is noted, besides every 500 tokens or so. */
const lookMs = 1000;
