import { createGrpcClient, type GrpcClient } from "@farebox/kit/grpc-client";
import { BillingService } from "@farebox/proto/farebox/billing/v1/billing_service";
import { PaymentOperationsService } from "@farebox/proto/farebox/payment/v1/payment_operations_service";
import { PaymentService } from "@farebox/proto/farebox/payment/v1/payment_service";
import Stripe from "stripe";
import type { Stack } from "../stack/open-stack.ts";
import type { Customer } from "./office.ts";

/** What trading and judging it are done with. */
export type TradeDesk = {
  readonly billing: GrpcClient<typeof BillingService>;
  readonly payments: GrpcClient<typeof PaymentService>;
  readonly operations: GrpcClient<typeof PaymentOperationsService>;
  /** The emulator, by Stripe's own client. */
  readonly stripe: Stripe;
  /** Calls the emulator's control API. */
  readonly control: (path: string, body: object) => Promise<void>;
  /** What was bought so far. */
  readonly bought: Purchase[];
  close(): void;
};

/** Something that a customer bought. */
export type Purchase = {
  readonly customer: Customer;
  /** The payment of a page; empty when a saved card paid. */
  readonly pagePaymentId: string;
  /** What automatic recharges must have collected in all, in cents; undefined for who has none. */
  readonly automatic: number | undefined;
};

/** Opens the desk of a stack that has Payment and the emulator. */
export function openTradeDesk({ dev, stripeKey = "" }: Stack): TradeDesk {
  const { stripeEmulatorUrl = "", paymentAddress: address = "" } = dev;
  const base = { serviceToken: dev.serviceToken, deadlineMs: 20_000 };
  const billing = createGrpcClient(BillingService, { ...base, address: dev.billingAddress });
  const payments = createGrpcClient(PaymentService, { ...base, address });
  const operations = createGrpcClient(PaymentOperationsService, { ...base, address });
  const { hostname: host, port } = new URL(stripeEmulatorUrl);
  return {
    ...{ billing, payments, operations },
    stripe: new Stripe(stripeKey, { host, port, protocol: "http", telemetry: false }),
    control: (path, body) => callEmulator(`${stripeEmulatorUrl}/_emulator/${path}`, body),
    bought: [],
    close: () => {
      for (const client of [billing, payments, operations]) client.close();
    },
  };
}

async function callEmulator(url: string, body: object): Promise<void> {
  const answer = await fetch(url, {
    method: "POST",
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  });
  if (!answer.ok) throw new Error(`${url}: ${await answer.text()}`);
}
