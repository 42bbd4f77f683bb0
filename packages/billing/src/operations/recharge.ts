import { AppError, fieldError } from "@farebox/kit/app-error";
import type { Clock } from "@farebox/kit/clock";
import { newUuid } from "@farebox/kit/ids";
import type { Nanos } from "@farebox/kit/money";
import { inTransaction, isDuplicate, type Pool } from "@farebox/kit/mysql";
import type { PaymentMethodKind, PlacedOrder } from "../domain/recharge-order.ts";
import type { AccountFactsCache } from "../store/account-facts.ts";
import { insertOnceKeys, readOnceKeys } from "../store/once-key-store.ts";
import {
  cancelPending,
  insertOrder,
  readOrder,
  recordPayment,
} from "../store/recharge-order-store.ts";
import { contentSha256 } from "./content-sha256.ts";
import { requireAmount } from "./with-order.ts";

export type RechargeDeps = {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly facts: AccountFactsCache;
  /** Undefined where no Payment is configured. */
  readonly createPayment: CreatePayment | undefined;
  /** How long the payer has. */
  readonly rechargeExpiresAfterMs: number;
};

/** Asks Payment to collect for an order. The order is the key: asked again, it answers the same payment as it then stands. */
export type CreatePayment = (order: PlacedOrder, signal: AbortSignal) => Promise<CreatedPayment>;

export type CreatedPayment = {
  readonly paymentId: string;
  /** True when it failed for good: declined, for example. */
  readonly hasFailed: boolean;
  readonly paymentUrl: string;
  readonly paymentCode: string;
  readonly paymentParams: Readonly<Record<string, string>>;
};

export type RechargeInput = {
  readonly requestId: string;
  readonly accountId: string;
  /** In the account's currency. */
  readonly amount: Nanos;
  readonly method: PaymentMethodKind;
  readonly returnUrl: string;
  readonly paymentMethodId: string;
  readonly clientIp: string;
};

/** The order as it stands; and its payment, unless the order had ended already. */
export type Recharged = {
  readonly order: PlacedOrder;
  readonly payment: CreatedPayment | undefined;
};

const method = "Recharge";

/**
 * Makes an order to pay money in, then the payment that collects for it. The order is durable before Payment is asked, so
 * that money never arrives for an order that nobody knows. A repetition goes on with the same order; one whose order has
 * ended only answers it.
 *
 * What Payment refuses for good cancels the order and is passed on. While it does not answer, the order stays PENDING: the
 * same request goes on with it, or it expires.
 *
 * Errors: INVALID_ARGUMENT, ACCOUNT_NOT_FOUND, DUPLICATE_RECHARGE, PAYMENT_UNAVAILABLE, UNAVAILABLE; of Payment
 * PAYMENT_METHOD_NOT_FOUND, PAYMENT_METHOD_UNSUITABLE, AMOUNT_NOT_PAYABLE.
 */
export async function recharge(
  deps: RechargeDeps,
  input: RechargeInput,
  signal: AbortSignal,
): Promise<Recharged> {
  if (input.requestId.endsWith(" ")) throw fieldError("request_id", "must not end with a space");
  requireAmount(input.amount);
  const order = await placeOrder(deps, input);
  if (order.state !== "PENDING") return { order, payment: undefined };
  const payment = await askPayment(deps, order, signal);
  if (payment.hasFailed) await cancelPending(deps.pool, order, payment.paymentId);
  else await recordPayment(deps.pool, order, payment);
  return { order: await readPlaced(deps.pool, order.id), payment };
}

/** The order of this request: the first one's for a repetition. Twins meet at the unique request id. */
async function placeOrder(deps: RechargeDeps, input: RechargeInput): Promise<PlacedOrder> {
  const { accountId } = input;
  await deps.facts.load([accountId]);
  const facts = deps.facts.get(accountId);
  if (facts === undefined) throw new AppError("ACCOUNT_NOT_FOUND");
  const sha256 = contentOf(input).toString("hex");
  const known = await findPlaced(deps.pool, input, sha256);
  if (known !== undefined) return known;
  requirePayment(deps.createPayment);
  const nowMs = deps.clock.nowMs();
  const order = newOrder(input, facts.currencyCode, {
    nowMs,
    expireTimeMs: nowMs + deps.rechargeExpiresAfterMs,
  });
  try {
    await inTransaction(deps.pool, async (tx) => {
      const key = { requestId: input.requestId, sha256, result: order.id };
      await insertOnceKeys(tx, { accountId, method, nowMs }, [key]);
      await insertOrder(tx, order);
    });
    return order;
  } catch (error) {
    const twin = isDuplicate(error) ? await findPlaced(deps.pool, input, sha256) : undefined;
    if (twin === undefined) throw error;
    return twin;
  }
}

/** What makes two requests the same. The payer's address may change between them. */
function contentOf(input: RechargeInput): Buffer {
  const { amount, returnUrl, paymentMethodId } = input;
  return contentSha256([amount, input.method, returnUrl, paymentMethodId]);
}

async function findPlaced(
  pool: Pool,
  { accountId, requestId }: RechargeInput,
  sha256: string,
): Promise<PlacedOrder | undefined> {
  const keys = await readOnceKeys(pool, { accountId, method, requestIds: [requestId] });
  const first = keys.get(requestId);
  if (first === undefined) return undefined;
  if (first.sha256 !== sha256) throw new AppError("DUPLICATE_RECHARGE");
  return readPlaced(pool, first.result);
}

async function readPlaced(pool: Pool, id: string): Promise<PlacedOrder> {
  const order = await readOrder(pool, id);
  if (order === undefined) throw new Error(`order ${id} is gone`);
  return order;
}

function newOrder(
  input: RechargeInput,
  currencyCode: string,
  times: { readonly nowMs: number; readonly expireTimeMs: number },
): PlacedOrder {
  return {
    id: newUuid().toString("hex"),
    accountId: input.accountId,
    state: "PENDING",
    amount: input.amount,
    currencyCode,
    method: input.method,
    paymentMethodId: input.paymentMethodId,
    paymentId: undefined,
    credited: 0n,
    reversed: 0n,
    reserved: 0n,
    paymentUrl: "",
    returnUrl: input.returnUrl,
    clientIp: input.clientIp,
    createTimeMs: times.nowMs,
    expireTimeMs: times.expireTimeMs,
    creditTimeMs: undefined,
  };
}

/** Payment's refusals that no repetition mends. */
const refusals: ReadonlySet<string> = new Set([
  "INVALID_ARGUMENT",
  "AMOUNT_NOT_PAYABLE",
  "PAYMENT_METHOD_NOT_FOUND",
  "PAYMENT_METHOD_UNSUITABLE",
]);

async function askPayment(
  deps: RechargeDeps,
  order: PlacedOrder,
  signal: AbortSignal,
): Promise<CreatedPayment> {
  const createPayment = requirePayment(deps.createPayment);
  try {
    return await createPayment(order, signal);
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause;
    if (refusals.has(cause.reason)) {
      // An order that has a payment keeps it: the payer may be on its page.
      await cancelPending(deps.pool, order, undefined);
      throw cause;
    }
    if (signal.aborted) throw cause;
    const { retryAfterMs = 1000 } = cause;
    throw new AppError("PAYMENT_UNAVAILABLE", undefined, { cause, retryAfterMs });
  }
}

function requirePayment(createPayment: CreatePayment | undefined): CreatePayment {
  if (createPayment !== undefined) return createPayment;
  const why = "No payment service is configured: PAYMENT_ADDRESS is not set.";
  throw new AppError("PAYMENT_UNAVAILABLE", why);
}
