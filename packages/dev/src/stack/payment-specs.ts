import type { ChildSpec } from "../child.ts";
import { portOf } from "./service-ports.ts";
import { host, nodeSpec, type SpecsRequest } from "./service-specs.ts";

/** Where a stack's Payment is, and who collects for it. */
export type PaymentPlace = {
  /** Payment's own schema. */
  readonly databaseUrl: string;
  /** Its own port for webhooks and the return page. */
  readonly webhookUrl: string;
  /** How payers and the provider reach that port. */
  readonly publicUrl: string;
  /** The Stripe emulator; undefined when Stripe itself collects. */
  readonly emulatorUrl: string | undefined;
};

/** Payment, for a schema that has been migrated. Stripe's key and secrets come from the environment unless it is emulated. */
export function paymentSpec(request: SpecsRequest, place: PaymentPlace): ChildSpec {
  const { ports, secrets } = request;
  const opsPort = portOf(ports, "paymentOps");
  const emulated = {
    STRIPE_API_URL: place.emulatorUrl ?? "",
    STRIPE_SECRET_KEY: secrets.emulatorKey,
    STRIPE_WEBHOOK_SECRETS: secrets.emulatorWebhookSecret,
    PAYMENT_METHODS: "card,alipay,wechat_pay,bank_transfer",
    BANK_TRANSFER_INSTRUCTIONS: "TEST MODE: send nothing. An operator proposes, another approves.",
  };
  return nodeSpec(request, {
    name: "payment",
    main: "payment/src/main.ts",
    readyUrl: `http://${host}:${opsPort}/readyz`,
    env: {
      PAYMENT_HOST: host,
      PAYMENT_PORT: String(portOf(ports, "payment")),
      PAYMENT_OPS_PORT: String(opsPort),
      PAYMENT_WEBHOOK_PORT: String(portOf(ports, "paymentWebhook")),
      PAYMENT_PUBLIC_URL: place.publicUrl,
      PAYMENT_DATABASE_URL: place.databaseUrl,
      BILLING_ADDRESS: request.billingAddress,
      SERVICE_TOKENS: secrets.serviceToken,
      API_KEY_PEPPER: secrets.apiKeyPepper,
      PAGE_TOKEN_SECRET: secrets.pageTokenSecret,
      ...(place.emulatorUrl === undefined ? {} : emulated),
    },
  });
}

/** The Stripe emulator: a small Stripe in a process of its own, for installations without a key of Stripe. */
export function emulatorSpec(request: SpecsRequest, place: PaymentPlace): ChildSpec {
  const { ports, secrets } = request;
  return nodeSpec(request, {
    name: "stripeEmulator",
    main: "dev/src/stripe-emulator/main.ts",
    readyUrl: `${place.emulatorUrl}/_emulator/health`,
    env: {
      STRIPE_EMULATOR_PORT: String(portOf(ports, "stripeEmulator")),
      STRIPE_EMULATOR_SECRET_KEY: secrets.emulatorKey,
      STRIPE_EMULATOR_WEBHOOK_URL: `${place.webhookUrl}/webhooks/stripe`,
      STRIPE_EMULATOR_WEBHOOK_SECRET: secrets.emulatorWebhookSecret,
    },
  });
}
