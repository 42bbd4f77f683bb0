import { randomBytes } from "node:crypto";
import { AppError } from "@farebox/kit/app-error";
import type { Clock } from "@farebox/kit/clock";
import type { Lock } from "@farebox/kit/lock";
import type { Logger } from "@farebox/kit/logger";
import { minNanos } from "@farebox/kit/money";
import type { BillingPort } from "../billing-port.ts";
import type { GatewayEpoch } from "../settlement/gateway-epoch.ts";
import type { Lease } from "./lease.ts";
import { lockKeyOf } from "./quota-ask.ts";

/** What closing needs. */
export type LeaseCloserDeps = {
  readonly billing: Pick<BillingPort, "deductQuota">;
  readonly lock: Pick<Lock, "tryLock">;
  readonly epoch: GatewayEpoch;
  readonly clock: Clock;
  readonly log: Logger;
  readonly quotaLock: "always" | "contended" | "off";
  readonly deadlineMs: number;
};

/**
 * Returns idle leases to their accounts. Only leases whose every outcome Billing has acknowledged come here, so that the
 * total that is sent along is a check and no wait: a difference is drift, logged, and the lease is closed without it.
 *
 * A close that was not answered is repeated until it is, or until the epoch is over: then Billing takes the lease back itself.
 */
export class LeaseCloser {
  readonly figures = { closed: 0, drifted: 0 };
  readonly #deps: LeaseCloserDeps;
  #underWay = 0;

  constructor(deps: LeaseCloserDeps) {
    this.#deps = deps;
  }

  /** Whether another lease may be closed now: a bounded number is, those that are tried again included. */
  get hasRoom(): boolean {
    return this.#underWay < underWayMax;
  }

  /** Closes a lease that nothing is spent from any more. Resolves after the first answer or failure; never rejects. */
  async close(lease: Lease): Promise<void> {
    this.#underWay++;
    try {
      await this.#attempt(lease);
      this.#underWay--;
    } catch (error) {
      this.#deps.log.warn({ event: "lease.close_failed", leaseId: lease.name, err: error });
      // In the background: whoever waits for the account need not wait for this.
      this.#repeat(lease)
        .catch(() => undefined)
        .finally(() => {
          this.#underWay--;
        });
    }
  }

  async #repeat(lease: Lease): Promise<void> {
    for (let tries = 0; tries < triesMax && lease.epoch === this.#deps.epoch.current; tries++) {
      await this.#deps.clock.sleep(Math.min(retryMs * 2 ** tries, retryMsMax));
      const isClosed = await this.#attempt(lease).then(
        () => true,
        () => false,
      );
      if (isClosed) return;
    }
    this.#deps.log.warn({ event: "lease.left_open", leaseId: lease.name });
  }

  async #attempt(lease: Lease): Promise<void> {
    const { quotaLock, lock } = this.#deps;
    const isLocked = quotaLock === "always" || (quotaLock === "contended" && lease.holders > 1);
    const held = isLocked ? await lock.tryLock(lockKeyOf(lease)) : undefined;
    try {
      await this.#send(lease, lease.closeTries < checkedTriesMax);
      this.figures.closed++;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      // Closed already, by an earlier attempt or by Billing.
      if (error.reason === "LEASE_NOT_FOUND" || error.reason === "LEASE_NOT_OPEN") return;
      if (error.reason === "JOURNAL_BEHIND") this.#noteDrift(lease);
      throw error;
    } finally {
      held?.release();
    }
  }

  async #send(lease: Lease, isChecked: boolean): Promise<void> {
    // Usage above what was granted was taken from the account, so that no more than the grant is settled on the lease.
    const total = minNanos(lease.counted, lease.granted);
    await this.#deps.billing.deductQuota(
      {
        requestId: `close_${randomBytes(16).toString("hex")}`,
        accountId: lease.accountId,
        leaseId: lease.name,
        epoch: lease.epoch.number,
        close: true,
        ...(isChecked ? { finalTotal: { amountNanos: total } } : {}),
      },
      { deadlineMs: this.#deps.deadlineMs },
    );
  }

  #noteDrift(lease: Lease): void {
    lease.closeTries++;
    if (lease.closeTries !== checkedTriesMax) return;
    this.figures.drifted++;
    const counted = String(lease.counted);
    this.#deps.log.error({ event: "lease.drift", leaseId: lease.name, countedNanos: counted });
  }
}

/** Closes of one turn share a transaction in Billing: when load ebbs, many leases fall idle at once. */
const underWayMax = 256;
const checkedTriesMax = 3;
const triesMax = 30;
const retryMs = 100;
const retryMsMax = 2000;
