import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { AppError } from "@farebox/kit/app-error";
import type { RpcImpl } from "@farebox/kit/rpc-context";
import {
  PaymentEventState,
  type PaymentOperationsService,
} from "@farebox/proto/farebox/payment/v1/payment_operations_service";
import { eventStates, type ProviderEvent } from "../domain/provider-event.ts";
import type { PaymentDeps } from "../operations/payment-deps.ts";
import { pageOfDifferences, pageOfEvents, type ReadDeps } from "../operations/read-payments.ts";
import { reconcile } from "../operations/reconcile.ts";
import { replayEvent } from "../operations/replay-event.ts";

const reconciledMs = 30 * 86_400_000;

/** `PaymentOperationsService`, but for transfers that are confirmed by hand. */
export function paymentOperationsService(
  deps: PaymentDeps & ReadDeps,
): Partial<RpcImpl<typeof PaymentOperationsService>> {
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
  };
}

function toProtoEvent({ state, createTimeMs, sequence: _, apiVersion: __, ...it }: ProviderEvent) {
  return { ...it, state: PaymentEventState[state], createTime: timestampFromMs(createTimeMs) };
}
