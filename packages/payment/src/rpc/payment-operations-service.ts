import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { AppError, fieldError } from "@farebox/kit/app-error";
import type { Caller, RpcImpl } from "@farebox/kit/rpc-context";
import {
  type ApproveTransferRequest,
  PaymentEventState,
  type PaymentOperationsService,
  type ProposeTransferRequest,
} from "@farebox/proto/farebox/payment/v1/payment_operations_service";
import type { Payment } from "../domain/payment.ts";
import { eventStates, type ProviderEvent } from "../domain/provider-event.ts";
import { normalReference } from "../domain/transfer.ts";
import { approveTransfer } from "../operations/approve-transfer.ts";
import type { PaymentDeps } from "../operations/payment-deps.ts";
import { proposeTransfer, type TransferInput } from "../operations/propose-transfer.ts";
import {
  pageOfDifferences,
  pageOfEvents,
  type ReadDeps,
  readTotals,
} from "../operations/read-payments.ts";
import { reconcile } from "../operations/reconcile.ts";
import { replayEvent } from "../operations/replay-event.ts";
import { fromId, toProtoPayment } from "./convert-payment.ts";

const reconciledMs = 30 * 86_400_000;

/** `PaymentOperationsService`. */
export function paymentOperationsService(
  deps: PaymentDeps & ReadDeps,
): RpcImpl<typeof PaymentOperationsService> {
  return { ...books(deps), ...transfers(deps) };
}

/** What two people say of money that arrived at the bank. */
function transfers(deps: PaymentDeps & ReadDeps) {
  const answer = async (payment: Payment) => ({
    payment: toProtoPayment(payment, await readTotals(deps.pool, payment.id)),
  });
  return {
    proposeTransfer: async (req, { caller }) =>
      answer(await proposeTransfer(deps, fromTransfer(req, caller))),
    approveTransfer: async (req, { caller }) =>
      answer(await approveTransfer(deps, fromTransfer(req, caller))),
  } satisfies Partial<RpcImpl<typeof PaymentOperationsService>>;
}

function fromTransfer(
  { paymentId, amount, bankReference }: ProposeTransferRequest | ApproveTransferRequest,
  caller: Caller,
): TransferInput {
  if (amount === undefined) throw fieldError("amount", "is missing");
  return {
    paymentId: fromId("pay", paymentId, "payment_id"),
    amount: amount.amountNanos,
    currencyCode: amount.currencyCode,
    bankReference: requireReference(bankReference),
    person: requirePerson(caller),
  };
}

/** The same reference is the same however it is spaced and cased: one transfer pays once. */
function requireReference(text: string): string {
  const reference = normalReference(text);
  if (reference === undefined) {
    throw fieldError("bank_reference", "must have 1 to 128 characters, not counting spaces");
  }
  return reference;
}

/** Whose word it is: an API key's user. A service, or a key of nobody, is no person. */
function requirePerson(caller: Caller): string {
  if (caller.kind === "key" && caller.userId !== "") return caller.userId;
  const why = "A person is needed: call with an API key that has a user_id.";
  throw new AppError("PERMISSION_DENIED", why);
}

/** What providers told, and where their books and ours differ. */
function books(deps: PaymentDeps & ReadDeps) {
  return {
    listPaymentEvents: async ({ state, ...page }) => {
      const word = eventStates.find((it) => PaymentEventState[it] === state);
      const { rows, nextPageToken } = await pageOfEvents(deps, word, page);
      return { events: rows.map(toProtoEvent), nextPageToken };
    },
    replayPaymentEvent: async ({ provider, eventId }, { signal }) => {
      const event = await replayEvent(deps, { provider, eventId }, signal);
      if (event === undefined) throw new AppError("PAYMENT_EVENT_NOT_FOUND");
      return { event: toProtoEvent(event) };
    },
    reconcilePayments: async ({ startTime }, { signal }) => {
      const sinceMs =
        startTime === undefined ? deps.clock.nowMs() - reconciledMs : timestampMs(startTime);
      const found = await reconcile(deps, sinceMs, signal);
      return {
        comparedCount: found.compared,
        creditedCount: found.credited,
        differenceCount: found.differences,
      };
    },
    listPaymentDifferences: async ({ openOnly, ...page }) => {
      const { rows, nextPageToken } = await pageOfDifferences(deps, openOnly, page);
      return {
        differences: rows.map(({ currencyCode, ...it }) => ({
          id: `pdf_${it.id}`,
          kind: it.kind,
          objectId: it.objectId,
          paymentId: it.paymentId === "" ? "" : `pay_${it.paymentId}`,
          providerAmount: { amountNanos: it.providerAmount, currencyCode },
          ourAmount: { amountNanos: it.ourAmount, currencyCode },
          isRepaired: it.isRepaired,
          createTime: timestampFromMs(it.createTimeMs),
        })),
        nextPageToken,
      };
    },
  } satisfies Partial<RpcImpl<typeof PaymentOperationsService>>;
}

function toProtoEvent({ state, createTimeMs, sequence: _, apiVersion: __, ...it }: ProviderEvent) {
  return { ...it, state: PaymentEventState[state], createTime: timestampFromMs(createTimeMs) };
}
