import type { AppError } from "@farebox/kit/app-error";
import { AppError as Refusal } from "@farebox/kit/app-error";
import { newUuid } from "@farebox/kit/ids";
import type { RpcImpl } from "@farebox/kit/rpc-context";
import { serviceMount } from "@farebox/kit/service-mount";
import { serveForTest } from "@farebox/kit/testing/rpc";
import { PaymentState } from "@farebox/proto/farebox/payment/v1/payment";
import {
  type CreatePaymentRequest,
  PaymentService,
} from "@farebox/proto/farebox/payment/v1/payment_service";
import { serviceToken } from "./billing-under-test.ts";

/** A Payment that keeps to the contract of CreatePayment: one payment an order, whatever is asked how often. */
export type FakePayment = AsyncDisposable & {
  readonly address: string;
  /** Every request as it arrived. */
  readonly requests: CreatePaymentRequest[];
  /** What the next calls do; cleared by `behaveWell`. */
  refuseWith(refusal: AppError): void;
  declineAll(): void;
  /** Runs before a payment is answered, as a saved card that is charged at once. */
  beforeAnswer(fn: (paymentOrderId: string, paymentId: string) => Promise<void>): void;
  behaveWell(): void;
};

type Mood = {
  readonly refusal?: AppError;
  readonly isDeclining?: boolean;
  readonly beforeAnswer?: (paymentOrderId: string, paymentId: string) => Promise<void>;
};

/** Starts it on a port of its own. */
export async function startFakePayment(): Promise<FakePayment> {
  const requests: CreatePaymentRequest[] = [];
  const paymentIds = new Map<string, string>();
  let mood: Mood = {};
  const createPayment: RpcImpl<typeof PaymentService>["createPayment"] = async (req) => {
    requests.push(req);
    if (mood.refusal !== undefined) throw mood.refusal;
    const first = requests.find((it) => it.paymentOrderId === req.paymentOrderId);
    if (contentOf(first) !== contentOf(req)) throw new Refusal("REQUEST_ID_REUSED");
    const id = paymentIds.get(req.paymentOrderId) ?? `pay_${newUuid().toString("hex")}`;
    paymentIds.set(req.paymentOrderId, id);
    await mood.beforeAnswer?.(req.paymentOrderId, id);
    const state = mood.isDeclining === true ? PaymentState.FAILED : PaymentState.PENDING;
    return {
      payment: { id, state, paymentOrderId: req.paymentOrderId },
      paymentUrl: `https://pay.example/${id}`,
      paymentCode: `code-${id}`,
      paymentParams: { client_secret: `secret-${id}` },
    };
  };
  // Billing calls nothing else; the mount answers UNIMPLEMENTED for what is left out.
  const impl = { createPayment } as unknown as RpcImpl<typeof PaymentService>;
  const server = await serveForTest(
    [serviceMount(PaymentService, impl)],
    {},
    { serviceTokens: [{ name: "billing", token: serviceToken }] },
  );
  return {
    address: server.address,
    requests,
    refuseWith: (refusal) => {
      mood = { refusal };
    },
    declineAll: () => {
      mood = { isDeclining: true };
    },
    beforeAnswer: (beforeAnswer) => {
      mood = { beforeAnswer };
    },
    behaveWell: () => {
      mood = {};
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

function contentOf(req: CreatePaymentRequest | undefined): string {
  return JSON.stringify(req, (_, value) => (typeof value === "bigint" ? String(value) : value));
}
