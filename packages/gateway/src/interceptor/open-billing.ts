import { AppError } from "@farebox/kit/app-error";
import type { Clock } from "@farebox/kit/clock";
import type { Lock } from "@farebox/kit/lock";
import type { Logger } from "@farebox/kit/logger";
import { type BillingInterceptor, createBillingInterceptor } from "./billing-interceptor.ts";
import type { BillingPort } from "./billing-port.ts";
import type { InterceptorSettings } from "./interceptor-settings.ts";
import type { Journal } from "./journal/journal.ts";
import { openJournal } from "./journal/open-journal.ts";
import { AskBatcher } from "./lease/ask-batcher.ts";
import { ClaimDesk } from "./lease/claim-desk.ts";
import { closeIdleLeases } from "./lease/close-idle-leases.ts";
import { GraceBook } from "./lease/grace-book.ts";
import { LeaseBook } from "./lease/lease-book.ts";
import { LeaseCloser } from "./lease/lease-closer.ts";
import { GatewayEpoch } from "./settlement/gateway-epoch.ts";
import { SettlementClient } from "./settlement/settlement-client.ts";

/** What the interceptor needs of the world. */
export type OpenBillingDeps = {
  readonly billing: BillingPort;
  readonly lock: Pick<Lock, "tryLock" | "tryLockMany">;
  readonly clock: Clock;
  readonly log: Logger;
};

/** The interceptor with its journal and its connection to Billing. */
export type OpenBilling = {
  readonly interceptor: BillingInterceptor;
  readonly journal: Journal;
  readonly book: LeaseBook;
  readonly settlement: SettlementClient;
  readonly batcher: AskBatcher;
  readonly closer: LeaseCloser;
  /** Resolves when what earlier processes left is settled, and calls are admitted. */
  ready(signal: AbortSignal): Promise<void>;
  /**
   * Admits nothing more, waits for the calls in flight, settles everything, returns the leases, and lets the journal go. What
   * is not done when the signal aborts stays in the journal for the next start; nothing is lost.
   */
  close(signal: AbortSignal): Promise<void>;
};

/** Opens the journal, connects to Billing and begins to settle. Throws a JournalError LOCKED or CORRUPT. */
export async function openBilling(
  deps: OpenBillingDeps,
  settings: InterceptorSettings,
): Promise<OpenBilling> {
  const { billing, lock, clock, log } = deps;
  const opened = await openJournal(settings.journal);
  const { journal, gatewayId, tornBytes, interruptedCount } = opened;
  log.info({ event: "journal.opened", gatewayId, tornBytes, interruptedCount });
  journal.onFailed = (err) => log.error({ event: "journal.failed", err });
  const epoch = new GatewayEpoch(clock);
  const batcher = new AskBatcher({ ...deps, epoch, gatewayId, deadlineMs: settings.deadlineMs });
  const grace = new GraceBook(settings.allowOnError ? settings.graceNanos : 0n);
  const book = new LeaseBook({ ...settings, epoch, batcher, clock, log, grace });
  const closer = new LeaseCloser({ ...settings, billing, lock, epoch, clock, log });
  const replayEnd = journal.durablePosition;
  const settlement = new SettlementClient({
    billing,
    journal,
    epoch,
    gatewayId,
    clock,
    log,
    replayEnd,
  });
  const claims = new ClaimDesk(batcher);
  const { allowOnError } = settings;
  const interceptor = createBillingInterceptor({ journal, book, claims, settlement, allowOnError });
  settlement.start();
  const sweep = setInterval(() => {
    book.expireWaiting();
    grace.acknowledge(settlement.acknowledged);
    closeIdleLeases({ book, closer, settlement, epoch, clock }, settings.idleMs);
  }, sweepMs).unref();
  return {
    interceptor,
    journal,
    book,
    settlement,
    batcher,
    closer,
    ready: (signal) => settlement.ready(signal),
    close: async (signal) => {
      interceptor.stopAdmitting();
      book.stop(new AppError("SHUTTING_DOWN"));
      try {
        while (interceptor.callsInFlight > 0) await clock.sleep(drainPollMs, signal);
        await journal.durable();
        await settlement.settled(journal.durablePosition, signal);
        clearInterval(sweep);
        await closeAllLeases({ book, closer }, clock, signal);
      } catch (error) {
        log.warn({ event: "billing.closed_early", err: error });
      }
      clearInterval(sweep);
      await settlement.stop();
      await journal.close();
    },
  };
}

async function closeAllLeases(
  { book, closer }: { readonly book: LeaseBook; readonly closer: LeaseCloser },
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const closing: Promise<void>[] = [];
  for (const pool of book.pools.all()) {
    const { lease } = pool;
    if (lease === undefined) continue;
    while (!closer.hasRoom) await clock.sleep(1, signal);
    pool.lease = undefined;
    closing.push(closer.close(lease));
  }
  await Promise.all(closing);
}

const sweepMs = 100;
const drainPollMs = 10;
