import { randomBytes } from "node:crypto";
import type { Clock } from "@farebox/kit/clock";
import type { Logger } from "@farebox/kit/logger";
import type { BillingPort } from "../billing-port.ts";
import type { Journal } from "../journal/journal.ts";
import type { GatewayEpoch } from "./gateway-epoch.ts";
import { SettlementConnection } from "./settlement-connection.ts";

/** What shipping needs. */
export type SettlementDeps = {
  readonly billing: Pick<BillingPort, "settleUsage">;
  readonly journal: Journal;
  readonly epoch: GatewayEpoch;
  readonly gatewayId: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Where what earlier processes left ends: no call is admitted before Billing has answered for all of it. */
  readonly replayEnd: number;
};

/** What shipping counted so far. */
export type SettlementFigures = {
  batches: number;
  connects: number;
  /** Items by the number of their status. */
  readonly items: number[];
};

/** What one connection leaves to the next. */
export type SettlementState = {
  readonly bootId: Buffer;
  readonly figures: SettlementFigures;
  /** Billing has answered for every outcome before this position. */
  acknowledged: number;
  /** Whether the old journal is settled and Billing knows, so that calls may be admitted. */
  isReady: boolean;
  /** The newest epoch that Billing knows to be drained. */
  drained: bigint;
};

/**
 * Ships the journal's outcomes to Billing over one stream, and keeps the leases alive over the same stream, until it is
 * stopped. A stream that fails is opened again with back-off, and everything not acknowledged is sent again: an item is
 * charged once by its id, however often it arrives.
 */
export class SettlementClient {
  readonly #deps: SettlementDeps;
  readonly #state: SettlementState;
  readonly #stopping = new AbortController();
  #connection: SettlementConnection | undefined;
  #running: Promise<void> = Promise.resolve();
  #watchers: (() => void)[] = [];

  constructor(deps: SettlementDeps) {
    this.#deps = deps;
    this.#state = {
      bootId: randomBytes(16),
      figures: { batches: 0, connects: 0, items: [0, 0, 0, 0, 0, 0] },
      acknowledged: deps.journal.oldestPosition,
      isReady: false,
      drained: 0n,
    };
  }

  /** Begins to ship, in the background. */
  start(): void {
    this.#deps.journal.onDurable = () => this.#connection?.wake();
    this.#running = this.#run();
  }

  get figures(): SettlementFigures {
    return this.#state.figures;
  }

  /** Billing has answered for every outcome before this journal position. */
  get acknowledged(): number {
    return this.#state.acknowledged;
  }

  /** Whether the stream is open and Billing has welcomed this gateway on it. */
  get isConnected(): boolean {
    return this.#connection?.isWelcome === true;
  }

  /** Whether what earlier processes left is settled, so that calls may be admitted. */
  get isReady(): boolean {
    return this.#state.isReady;
  }

  /** Resolves when calls may be admitted; rejects with the signal's reason. */
  async ready(signal: AbortSignal): Promise<void> {
    await this.#until(() => this.#state.isReady, signal);
  }

  /** Resolves when Billing has answered for every outcome before the position; rejects with the signal's reason. */
  async settled(position: number, signal: AbortSignal): Promise<void> {
    this.#connection?.flush();
    await this.#until(() => this.#state.acknowledged >= position, signal);
  }

  /** Closes the stream. What was not acknowledged stays in the journal. */
  async stop(): Promise<void> {
    this.#deps.journal.onDurable = () => undefined;
    this.#stopping.abort();
    await this.#connection?.close();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#deps;
    const { signal } = this.#stopping;
    let waitMs = backOffMs;
    while (!signal.aborted) {
      let wasWelcome = false;
      try {
        wasWelcome = await this.#connect();
        log.info({ event: "settlement.ended" });
      } catch (error) {
        wasWelcome = this.#connection?.wasWelcome === true;
        if (!signal.aborted) log.warn({ event: "settlement.lost", err: error });
      }
      await this.#connection?.close();
      this.#connection = undefined;
      waitMs = wasWelcome ? backOffMs : Math.min(waitMs * 2, backOffMsMax);
      // Jittered, so that the gateways of an installation do not all return in one instant.
      const jitter = 0.5 + Math.random() / 2;
      await clock.sleep(waitMs * jitter, signal).catch(() => undefined);
    }
  }

  async #connect(): Promise<boolean> {
    const connection = new SettlementConnection(this.#deps, this.#state, () => this.#progress());
    this.#connection = connection;
    await connection.run();
    return connection.wasWelcome;
  }

  #progress(): void {
    for (const watcher of this.#watchers) watcher();
  }

  async #until(isMet: () => boolean, signal: AbortSignal): Promise<void> {
    if (isMet()) return;
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const watcher = () => (isMet() ? resolve() : undefined);
    const onAbort = () => reject(signal.reason);
    this.#watchers.push(watcher);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      await promise;
    } finally {
      this.#watchers = this.#watchers.filter((other) => other !== watcher);
      signal.removeEventListener("abort", onAbort);
    }
  }
}

const backOffMs = 50;
const backOffMsMax = 2000;
