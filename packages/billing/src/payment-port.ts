import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { createGrpcClient, type GrpcClient } from "@farebox/kit/grpc-client";
import { formatId } from "@farebox/kit/ids";
import { PaymentMethodKind } from "@farebox/proto/farebox/common/v1/payment_method_kind";
import { PaymentState } from "@farebox/proto/farebox/payment/v1/payment";
import { PaymentService } from "@farebox/proto/farebox/payment/v1/payment_service";
import type { CreatePayment } from "./operations/recharge.ts";

/** Payment asks its provider meanwhile, which may take its time. */
const deadlineMs = 20_000;

/** A connection to Payment, for as long as the process lives. */
export type PaymentPort = Disposable & { readonly createPayment: CreatePayment };

/** Opens it. Nothing is sent before the first recharge. */
export function openPaymentPort(options: {
  readonly address: string;
  readonly serviceToken: string;
}): PaymentPort {
  const client = createGrpcClient(PaymentService, { ...options, deadlineMs });
  return {
    createPayment: createPaymentBy(client),
    [Symbol.dispose]: () => client.close(),
  };
}

/** All that is sent comes from the order, so that every repetition is the same to the letter. */
function createPaymentBy(client: GrpcClient<typeof PaymentService>): CreatePayment {
  return async (order, signal) => {
    const paymentOrderId = formatId("rco", Buffer.from(order.id, "hex"));
    const { accountId, paymentMethodId, returnUrl, clientIp } = order;
    const answer = await client.createPayment(
      {
        requestId: paymentOrderId,
        ...{ paymentOrderId, accountId, paymentMethodId, returnUrl, clientIp },
        amount: { amountNanos: order.amount, currencyCode: order.currencyCode },
        method: PaymentMethodKind[order.method],
        expireTime: timestampFromMs(order.expireTimeMs),
      },
      { signal },
    );
    if (answer.payment === undefined) throw new Error("Payment answered no payment");
    return {
      paymentId: answer.payment.id,
      hasFailed: answer.payment.state === PaymentState.FAILED,
      paymentUrl: answer.paymentUrl,
      paymentCode: answer.paymentCode,
      paymentParams: answer.paymentParams,
    };
  };
}
