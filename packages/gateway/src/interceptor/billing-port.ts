import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { ClientCodecs, GrpcClient } from "@farebox/kit/grpc-client";
import {
  type BatchCheckQuotaRequestSchema,
  type BatchCheckQuotaResponse,
  type BillingService,
  type DeductQuotaRequestSchema,
  type DeductQuotaResponse,
  SettleUsageRequestSchema,
  type SettleUsageResponse,
} from "@farebox/proto/farebox/billing/v1/billing_service";

/** What the interceptor needs of Billing. Every failure is an AppError. */
export type BillingPort = {
  batchCheckQuota(
    req: MessageInitShape<typeof BatchCheckQuotaRequestSchema>,
    options: { readonly deadlineMs: number },
  ): Promise<BatchCheckQuotaResponse>;
  deductQuota(
    req: MessageInitShape<typeof DeductQuotaRequestSchema>,
    options: { readonly deadlineMs: number },
  ): Promise<DeductQuotaResponse>;
  /** Opens the settlement stream. */
  settleUsage(): SettlementStream;
};

/** The settlement stream, fed with encoded `SettleUsageRequest`s. A failure rejects the iteration. */
export type SettlementStream = AsyncIterable<SettleUsageResponse> & {
  write(frame: Uint8Array): void;
  cancel(): void;
};

/** Makes the port of a client that was created with `billingCodecs`. */
export function createBillingPort(client: GrpcClient<typeof BillingService>): BillingPort {
  return {
    batchCheckQuota: (req, options) => client.batchCheckQuota(req, options),
    deductQuota: (req, options) => client.deductQuota(req, options),
    settleUsage: () => {
      const stream = client.settleUsage();
      return {
        // The window of unanswered batches bounds what is buffered, so that the answer is of no interest.
        write: (frame) => void stream.write(asRequest(frame)),
        cancel: () => stream.cancel(),
        [Symbol.asyncIterator]: () => stream[Symbol.asyncIterator](),
      };
    },
  };
}

/** Lets the settlement stream carry the journal's own bytes: a request that `asRequest` made is sent as its frame. */
export const billingCodecs: ClientCodecs<typeof BillingService> = {
  settleUsage: {
    encodeRequest: (request) =>
      frames.get(request) ??
      toBinary(SettleUsageRequestSchema, create(SettleUsageRequestSchema, request)),
  },
};

const frames = new WeakMap<object, Uint8Array>();

function asRequest(frame: Uint8Array): MessageInitShape<typeof SettleUsageRequestSchema> {
  const request = {};
  frames.set(request, frame);
  return request;
}
