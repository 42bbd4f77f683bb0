import { AppError } from "@farebox/kit/app-error";
import { newUuid } from "@farebox/kit/ids";
import { inTransaction, isDuplicate, type PoolConnection } from "@farebox/kit/mysql";
import { noDeviceUsage } from "@farebox/pricing/device-usage";
import type { Allocation } from "../domain/allocation.ts";
import type { DeviceAsk } from "../domain/device-ask.ts";
import { isImageAllowed } from "../domain/image-policy.ts";
import {
  countOpen,
  countQueued,
  insertAllocation,
  readByRequest,
} from "../store/allocation-store.ts";
import { passGate } from "../store/gate-store.ts";
import { advanceAllocation } from "./advance-allocation.ts";
import { billingUnavailable, isRefusal } from "./billing-answers.ts";
import type { DeviceDeps } from "./device-deps.ts";
import { noCapacity, placeDevice } from "./place-device.ts";
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
  if (!isImageAllowed(deps.terms.images, input.ask.image)) {
    throw new AppError("IMAGE_NOT_ALLOWED", undefined, { metadata: { image: input.ask.image } });
  }
  const rateCardJson = await readRateCard(deps, input.accountId);
  const allocation = newAllocation(deps, input, rateCardJson);
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

/** Goes on with an allocation that was asked for before, and answers it, or why there is none. */
async function goOn(
  deps: DeviceDeps,
  known: Allocation,
  input: Pick<AllocateInput, "contentSha256">,
): Promise<Allocation> {
  if (known.contentSha256 !== input.contentSha256) throw new AppError("REQUEST_ID_REUSED");
  const allocation =
    known.state === "PLACED" ? await advanceAllocation(deps, known.id, "caller") : known;
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
    ...{ stopMs: undefined, moneyAsks: 0, createMs: nowMs },
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
  if ((await countOpen(tx, accountId)) >= deps.terms.devicesMax) {
    throw new AppError("DEVICE_LIMIT_REACHED");
  }
  const startMs = bookMs ?? createMs;
  const endMs = startMs + ask.termMs;
  const nodeId = await placeDevice(deps, tx, { accountId, ask, modes, startMs, endMs });
  if (nodeId === undefined) {
    if (queueForMs === undefined || bookMs !== undefined) throw noCapacity();
    return queue(deps, tx, allocation);
  }
  if (bookMs !== undefined) {
    const booked: Allocation = { ...allocation, state: "BOOKED", nodeId };
    await requireBalance(deps, booked);
    await insertAllocation(tx, booked, undefined);
    return booked;
  }
  // Billing is asked next: that is noted here already.
  const placed: Allocation = {
    ...{ ...allocation, nodeId, placedMs: createMs, leaseEndMs: endMs },
    holdState: "ASKED",
  };
  await insertAllocation(tx, placed, createMs + deps.terms.startPatienceMs);
  return placed;
}

/** Money is looked at now and held when there is room: what waits holds up nothing else of the account. */
async function queue(
  deps: DeviceDeps,
  tx: PoolConnection,
  allocation: Allocation,
): Promise<Allocation> {
  await passGate(tx, "queue");
  if ((await countQueued(tx)) >= deps.terms.queueMax) {
    throw new AppError("QUEUE_FULL", undefined, { retryAfterMs: 60_000 });
  }
  const queued: Allocation = { ...allocation, state: "QUEUED" };
  await requireBalance(deps, queued);
  await insertAllocation(tx, queued, queued.queueUntilMs);
  return queued;
}

/** Errors: INSUFFICIENT_BALANCE, BILLING_UNAVAILABLE. */
async function requireBalance(
  { billing, rateCards }: DeviceDeps,
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
    throw isRefusal(error) ? error : billingUnavailable(error);
  }
}
