import type { AppError } from "@farebox/kit/app-error";
import type { Clock } from "@farebox/kit/clock";
import type { Logger } from "@farebox/kit/logger";
import type { CheckQuotaResult } from "@farebox/proto/farebox/billing/v1/billing_service";
import type { GatewayEpoch } from "../settlement/gateway-epoch.ts";
import type { AskBatcher } from "./ask-batcher.ts";
import { lockKeyOf, makeQuotaAsk, type QuotaAsk } from "./quota-ask.ts";
import type { Denial, QuotaPool, WaitingCall } from "./quota-pool.ts";
import { takeAnswer } from "./take-answer.ts";

/** What asking needs. */
export type QuotaAskerDeps = {
  readonly epoch: GatewayEpoch;
  readonly batcher: Pick<AskBatcher, "ask">;
  readonly clock: Clock;
  readonly log: Logger;
  readonly quotaLock: "always" | "contended" | "off";
  /** How long Billing may be silent before calls are no longer made to wait for it. */
  readonly waitMsMax: number;
};

/** What becomes of those who wait. */
export type AskListener = {
  /** The lease may have more; with a denial there is nothing beyond it. */
  readonly onAnswer: (
    pool: QuotaPool,
    denial: Denial | undefined,
    askedFor: WaitingCall | undefined,
  ) => void;
  /** Nobody in line can be served, ever. */
  readonly onRefused: (pool: QuotaPool, error: AppError) => void;
};

/**
 * Keeps one ask per pool outstanding. An ask that Billing did not answer may have taken effect, so it is repeated, the very
 * same, until it is answered, even when nobody waits for it any more: money that Billing granted must not be forgotten.
 */
export class QuotaAsker {
  readonly #deps: QuotaAskerDeps;
  readonly #listener: AskListener;
  readonly #unanswered = new Set<QuotaPool>();
  #failingSinceMs: number | undefined;
  #retryMs = retryMsMin;
  readonly #stopping = new AbortController();
  #isRetrying = false;

  constructor(deps: QuotaAskerDeps, listener: AskListener) {
    this.#deps = deps;
    this.#listener = listener;
  }

  /** Asks for what the pool's waiting calls lack, or for a refill; nothing while an ask or a close is outstanding. */
  ask(pool: QuotaPool): void {
    if (pool.isAsking || pool.isClosing) return;
    pool.isAsking = true;
    this.#send(pool);
  }

  /** Whether Billing has been silent for longer than a call would be made to wait. */
  isDown(nowMs: number): boolean {
    return (
      this.#failingSinceMs !== undefined && nowMs - this.#failingSinceMs >= this.#deps.waitMsMax
    );
  }

  /** Gives up what is not answered: the gateway ends, and Billing takes back the leases of its epoch. */
  stop(): void {
    this.#stopping.abort();
    this.#unanswered.clear();
  }

  #send(pool: QuotaPool): void {
    const { quotaLock, batcher } = this.#deps;
    const isLocked =
      quotaLock === "always" || (quotaLock === "contended" && (pool.lease?.holders ?? 2) > 1);
    batcher.ask({
      request: () => this.#requestOf(pool),
      lockKey: isLocked ? lockKeyOf(pool) : undefined,
      answered: (result) => this.#answered(pool, result),
      failed: (error) => this.#failed(pool, error),
    });
  }

  /** The very same request as before if there was one, unless its epoch is over. */
  #requestOf(pool: QuotaPool): QuotaAsk["request"] {
    const { epoch, clock } = this.#deps;
    const { current } = epoch;
    if (current === undefined) throw new Error("nothing is asked before the first welcome");
    if (pool.lease !== undefined && pool.lease.epoch !== current) pool.lease = undefined;
    if (pool.ask?.epoch !== current) pool.ask = makeQuotaAsk(pool, current, clock.monotonicMs());
    return pool.ask.request;
  }

  #answered(pool: QuotaPool, result: CheckQuotaResult): void {
    const { ask } = pool;
    if (ask === undefined) return;
    const nowMs = this.#deps.clock.monotonicMs();
    const answer = takeAnswer(pool, ask, result, nowMs);
    if (answer.kind === "unanswered") {
      this.#failed(pool, answer.error);
      return;
    }
    pool.ask = undefined;
    pool.isAsking = false;
    if (this.#failingSinceMs !== undefined) this.#deps.log.info({ event: "quota.answered_again" });
    this.#failingSinceMs = undefined;
    this.#retryMs = retryMsMin;
    switch (answer.kind) {
      case "granted":
      case "denied":
        this.#settle(pool, ask, answer, nowMs);
        break;
      case "stale":
        // Calls in flight end on the old lease; whoever waits needs a new one.
        pool.lease = undefined;
        if (pool.waiting.length > 0) this.#retryLater(pool);
        break;
      case "refused":
        this.#listener.onRefused(pool, answer.error);
        break;
    }
  }

  #settle(
    pool: QuotaPool,
    ask: QuotaAsk,
    answer: { readonly kind: "granted" | "denied"; readonly denial: Denial | undefined },
    nowMs: number,
  ): void {
    pool.isInGoodStanding = answer.kind === "granted";
    pool.denial = answer.denial;
    if (answer.denial !== undefined) pool.quietUntilMs = nowMs + quietMs;
    this.#listener.onAnswer(pool, answer.denial, ask.askedFor);
    const [first] = pool.waiting;
    // One that was told there is nothing waits for money to come back, not for another answer.
    if (first !== undefined && first.denial === undefined) this.ask(pool);
  }

  #failed(pool: QuotaPool, error: unknown): void {
    if (this.#failingSinceMs === undefined) {
      this.#failingSinceMs = this.#deps.clock.monotonicMs();
      // Once, not for every account and repetition.
      this.#deps.log.warn({ event: "quota.unanswered", err: error });
    }
    this.#retryLater(pool);
  }

  #retryLater(pool: QuotaPool): void {
    if (this.#stopping.signal.aborted) return;
    this.#unanswered.add(pool);
    if (this.#isRetrying) return;
    this.#isRetrying = true;
    const { clock } = this.#deps;
    clock.sleep(this.#retryMs, this.#stopping.signal).then(
      () => this.#retryAll(),
      () => undefined,
    );
  }

  #retryAll(): void {
    this.#isRetrying = false;
    this.#retryMs = Math.min(this.#retryMs * 2, retryMsMax);
    const pools = [...this.#unanswered];
    this.#unanswered.clear();
    for (const pool of pools) this.#retry(pool);
  }

  #retry(pool: QuotaPool): void {
    // An ask of an epoch that is over would be refused; if it had taken effect, Billing takes its lease back.
    if (pool.ask !== undefined && pool.ask.epoch !== this.#deps.epoch.current) {
      pool.ask = undefined;
      pool.isAsking = false;
    }
    if (pool.ask !== undefined) this.#send(pool);
    else if (pool.waiting.length > 0) this.ask(pool);
  }
}

const retryMsMin = 50;
const retryMsMax = 1000;
/** How long no refill is asked for in the background after Billing said that there is nothing more. */
const quietMs = 1000;
