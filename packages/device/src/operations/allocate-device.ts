import { AppError, fieldError, isRefusal } from "@farebox/kit/app-error";
import { newUuid } from "@farebox/kit/ids";
import { inTransaction, isDuplicate, type PoolConnection } from "@farebox/kit/mysql";
import { noDeviceUsage } from "@farebox/pricing/device-usage";
import type { Allocation } from "../domain/allocation.ts";
import type { NodeWish } from "../domain/choose-node.ts";
import type { DeviceAsk } from "../domain/device-ask.ts";
import { isImageAllowed } from "../domain/image-policy.ts";
import { queueOrder } from "../domain/queue-order.ts";
import {
  countOpen,
  countQueued,
  insertAllocation,
  readByRequest,
  readWaiting,
} from "../store/allocation-store.ts";
import { passGate } from "../store/gate-store.ts";
import { advancePlaced } from "./advance-allocation.ts";
import { asWaiting, waitingMax } from "./begin-waiting.ts";
import { billingUnavailable } from "./billing-unavailable.ts";
import type { DeviceDeps } from "./device-deps.ts";
import { couldEverFit, noCapacity, placeDevice } from "./place-device.ts";
import { holdCost } from "./rate-cards.ts";
import { refusalOf } from "./refusal-of.ts";

export type AllocateInput = {
  readonly requestId: string;
  readonly accountId: string;
  readonly contentSha256: string;
  readonly ask: DeviceAsk;
  /** From when on; undefined for now. */
  readonly bookMs: number | undefined;
  /** For how long to wait for room; undefined refuses. */
  readonly queueForMs: number | undefined;
};

/**
 * Allocates a device: finds room, holds money, starts a container. Each step is written before the next, so that a repetition, or
 * the janitor, goes on where a caller or a process was lost. Answers it RUNNING, QUEUED or BOOKED.
 * Errors: as `DeviceService.AllocateDevice`.
 */
export async function allocateDevice(deps: DeviceDeps, input: AllocateInput): Promise<Allocation> {
  const known = await readByRequest(deps.pool, input);
  if (known !== undefined) return goOn(deps, known, input);
  requireAhead(input, deps.clock.nowMs());
  if (!isImageAllowed(deps.terms.images, input.ask.image)) {
    throw new AppError("IMAGE_NOT_ALLOWED", undefined, { metadata: { image: input.ask.image } });
  }
  const rateCardJson = await readRateCard(deps, input.accountId);
  const allocation = newAllocation(deps, input, rateCardJson);
  const mayWait = input.bookMs !== undefined || input.queueForMs !== undefined;
  // Not within the transaction, whose locks others wait for.
  if (mayWait) await requireBalance(deps, allocation);
  try {
    const placed = await inTransaction(deps.pool, (tx) =>
      placeOrQueue(deps, tx, allocation, input),
    );
    deps.events.allocationMoved(placed);
    return placed.state === "PLACED" ? await goOn(deps, placed, input) : placed;
  } catch (error) {
    if (!isDuplicate(error)) throw error;
    const other = await readByRequest(deps.pool, input);
    if (other === undefined) throw error;
    return goOn(deps, other, input);
  }
}

const bookMsMax = 30 * 86_400_000;

/** A repetition may come after the time that it is for, a new booking may not. Errors: INVALID_ARGUMENT. */
function requireAhead({ bookMs }: Pick<AllocateInput, "bookMs">, nowMs: number): void {
  if (bookMs === undefined) return;
  if (bookMs < nowMs) throw fieldError("book_time", "must not have passed");
  if (bookMs - nowMs > bookMsMax) throw fieldError("book_time", "must be within 30 days");
}

/** Goes on with an allocation that was asked for before, and answers it, or why there is none. */
async function goOn(
  deps: DeviceDeps,
  known: Allocation,
  input: Pick<AllocateInput, "contentSha256">,
): Promise<Allocation> {
  if (known.contentSha256 !== input.contentSha256) throw new AppError("REQUEST_ID_REUSED");
  const allocation = known.state === "PLACED" ? await advancePlaced(deps, known, "caller") : known;
  const refusal = refusalOf(allocation);
  if (refusal !== undefined) throw refusal;
  return allocation;
}

/** Errors: ACCOUNT_NOT_FOUND, BILLING_UNAVAILABLE. */
async function readRateCard(
  { catalog, rateCards }: DeviceDeps,
  accountId: string,
): Promise<string> {
  const ask = async () => (await catalog.getDeviceRateCard({ accountId })).rateCardJson;
  try {
    return await rateCards.ofAccount(accountId, ask, (error) => !isRefusal(error));
  } catch (error) {
    throw isRefusal(error) ? error : billingUnavailable(error);
  }
}

function newAllocation(
  { clock, terms, rateCards }: DeviceDeps,
  input: AllocateInput,
  rateCardJson: string,
): Allocation {
  const nowMs = clock.nowMs();
  const { ask, queueForMs } = input;
  return {
    id: newUuid().toString("hex"),
    accountId: input.accountId,
    requestId: input.requestId,
    contentSha256: input.contentSha256,
    ask,
    state: "PLACED",
    ...{ endReason: undefined, endNote: "", nodeId: "", containerId: "" },
    ...{ bookMs: input.bookMs, placedMs: undefined },
    queueUntilMs: queueForMs === undefined ? undefined : nowMs + queueForMs,
    ...{ startMs: undefined, leaseEndMs: undefined, seenMs: undefined, endMs: undefined },
    termMs: ask.termMs,
    modes: { cpu: terms.cpuMode, memory: terms.memoryMode },
    ...{ holdState: "NONE", leaseId: "", hold: 0n },
    currencyCode: rateCards.of(rateCardJson).card.accountCurrency,
    rateCardJson,
    ...{ reportedMs: undefined, reported: noDeviceUsage },
    ...{ stopMs: undefined, moneyAsks: 0, moneyAsk: undefined, isTrafficSold: false },
    createMs: nowMs,
  };
}

async function placeOrQueue(
  deps: DeviceDeps,
  tx: PoolConnection,
  allocation: Allocation,
  { bookMs, queueForMs }: AllocateInput,
): Promise<Allocation> {
  const { accountId, ask, modes, createMs } = allocation;
  await passGate(tx, `account.${accountId}`);
  const { open, hasQueue } = await countOpen(tx, accountId);
  if (open >= deps.terms.devicesMax) throw new AppError("DEVICE_LIMIT_REACHED");
  const startMs = bookMs ?? createMs;
  const endMs = startMs + ask.termMs;
  const placing = { accountId, ask, modes, startMs, endMs };
  // A booking is for another time: whoever waits does so for now.
  const isAfter = hasQueue && bookMs === undefined;
  const before = isAfter ? await waitingBefore(tx, allocation) : [];
  const place = await placeDevice(deps, tx, placing, before);
  if (place === undefined) {
    if (queueForMs === undefined || bookMs !== undefined) throw noCapacity();
    return queue(deps, tx, allocation);
  }
  if (bookMs !== undefined) {
    const booked: Allocation = { ...allocation, ...place, state: "BOOKED" };
    await insertAllocation(tx, booked, undefined);
    return booked;
  }
  // Billing is asked next: that is noted here already.
  const placed: Allocation = {
    ...{ ...allocation, ...place, placedMs: createMs, leaseEndMs: endMs },
    holdState: "ASKED",
  };
  await insertAllocation(tx, placed, createMs + deps.terms.startPatienceMs);
  return placed;
}

/** What waiting ones would take, of those that go before a newcomer. */
async function waitingBefore(
  tx: PoolConnection,
  { ask, createMs }: Allocation,
): Promise<readonly NodeWish[]> {
  const waiting = await readWaiting(tx, "QUEUED", { bookedBeforeMs: createMs, limit: waitingMax });
  const newcomer = { id: "", priority: ask.priority, sinceMs: createMs };
  const order = queueOrder([...waiting.map(asWaiting), newcomer], createMs);
  const ahead = new Set(order.slice(0, order.indexOf(newcomer)).map(({ id }) => id));
  return waiting.filter(({ id }) => ahead.has(id)).map((it) => ({ ...it.ask, modes: it.modes }));
}

/** Money was looked at, and is held when there is room: what waits holds up nothing else of the account. */
async function queue(
  deps: DeviceDeps,
  tx: PoolConnection,
  allocation: Allocation,
): Promise<Allocation> {
  if (!(await couldEverFit(tx, allocation))) throw noCapacity();
  await passGate(tx, "queue");
  if ((await countQueued(tx)) >= deps.terms.queueMax) {
    throw new AppError("QUEUE_FULL", undefined, { retryAfterMs: 60_000 });
  }
  const queued: Allocation = { ...allocation, state: "QUEUED" };
  await insertAllocation(tx, queued, queued.queueUntilMs);
  return queued;
}

/** Errors: INSUFFICIENT_BALANCE, BILLING_UNAVAILABLE where nothing is given without Billing. */
async function requireBalance(
  { billing, rateCards, terms }: DeviceDeps,
  { accountId, ask, rateCardJson }: Allocation,
): Promise<void> {
  const needed = holdCost(rateCards.of(rateCardJson), ask);
  try {
    const { balance } = await billing.checkBalance({ accountId });
    const available = balance?.available?.amountNanos ?? 0n;
    if (available >= needed) return;
    throw new AppError("INSUFFICIENT_BALANCE", undefined, {
      metadata: { balance: String(available), needed: String(needed) },
    });
  } catch (error) {
    if (isRefusal(error)) throw error;
    if (!terms.isAllowedOnError) throw billingUnavailable(error);
  }
}
