import { AppError } from "@farebox/kit/app-error";
import type { Nanos } from "@farebox/kit/money";
import type { Pool } from "@farebox/kit/mysql";
import { type Page, type PageRequest, type PageTokens, pageOf } from "@farebox/kit/page-token";
import type { Payment, PaymentState } from "../domain/payment.ts";
import type { EventState, ProviderEvent } from "../domain/provider-event.ts";
import type { Refund } from "../domain/refund.ts";
import { type Difference, listDifferences } from "../store/difference-store.ts";
import { sumDisputes } from "../store/dispute-store.ts";
import { listEvents } from "../store/event-store.ts";
import { listPayments, readPayment } from "../store/payment-store.ts";
import { listRefunds, sumRefunds } from "../store/refund-store.ts";

export type ReadDeps = { readonly pool: Pool; readonly pageTokens: PageTokens };

/** What has left a payment again. */
export type PaymentTotals = { readonly refunded: Nanos; readonly disputed: Nanos };

/** What refunds and disputes took of a payment. */
export async function readTotals(pool: Pool, paymentId: string): Promise<PaymentTotals> {
  const refunded = await sumRefunds(pool, paymentId);
  return { refunded, disputed: await sumDisputes(pool, paymentId) };
}

/** Reads a payment of an account, or of any when none is named. Errors: PAYMENT_NOT_FOUND. */
export async function getPayment(
  pool: Pool,
  of: { readonly id: string; readonly accountId: string },
): Promise<Payment> {
  const payment = await readPayment(pool, { id: of.id });
  const isTheirs = of.accountId === "" || payment?.accountId === of.accountId;
  if (payment === undefined || !isTheirs) throw new AppError("PAYMENT_NOT_FOUND");
  return payment;
}

/** Reads a page of payments, newest first. Errors: PAGE_TOKEN_INVALID. */
export function pageOfPayments(
  deps: ReadDeps,
  filter: {
    readonly accountId: string;
    readonly orderId: string;
    readonly paymentCode: string;
    readonly state: PaymentState | undefined;
  },
  request: PageRequest,
): Promise<Page<Payment>> {
  const read = (after: string | undefined, limit: number) =>
    listPayments(deps.pool, filter, { after, limit });
  return pageOf(deps.pageTokens, { of: "payments", ...filter }, request, {
    read,
    keyOf: ({ id }) => id,
  });
}

/** Reads a page of refunds, newest first. Errors: PAGE_TOKEN_INVALID. */
export function pageOfRefunds(
  deps: ReadDeps,
  filter: { readonly accountId: string; readonly paymentId: string },
  request: PageRequest,
): Promise<Page<Refund>> {
  const read = (after: string | undefined, limit: number) =>
    listRefunds(deps.pool, filter, { after, limit });
  return pageOf(deps.pageTokens, { of: "refunds", ...filter }, request, {
    read,
    keyOf: ({ id }) => id,
  });
}

/** Reads a page of differences, newest first. Errors: PAGE_TOKEN_INVALID. */
export function pageOfDifferences(
  deps: ReadDeps,
  openOnly: boolean,
  request: PageRequest,
): Promise<Page<Difference>> {
  const read = (after: string | undefined, limit: number) =>
    listDifferences(deps.pool, openOnly, { after, limit });
  return pageOf(deps.pageTokens, { of: "differences", openOnly }, request, {
    read,
    keyOf: ({ id }) => id,
  });
}

/** Reads a page of events, newest first. Errors: PAGE_TOKEN_INVALID. */
export function pageOfEvents(
  deps: ReadDeps,
  state: EventState | undefined,
  request: PageRequest,
): Promise<Page<ProviderEvent>> {
  const read = (after: string | undefined, limit: number) =>
    listEvents(deps.pool, state, {
      before: after === undefined ? undefined : BigInt(after),
      limit,
    });
  const keyOf = ({ sequence }: ProviderEvent) => String(sequence);
  return pageOf(deps.pageTokens, { of: "events", state }, request, { read, keyOf });
}
