import {
  durationMsFrom,
  type EnvTable,
  enumOf,
  int,
  list,
  port,
  readEnv,
  secretText,
  secretTexts,
  text,
  url,
} from "@farebox/kit/env";
import { payableKinds } from "./domain/method-capabilities.ts";

const databaseVariables = {
  databaseUrl: {
    name: "PAYMENT_DATABASE_URL",
    parse: secretText,
    required: true,
    secret: true,
    doc: "MySQL or MariaDB with a schema of Payment's own, as mysql://user:password@host:port/schema.",
  },
  logLevel: {
    name: "LOG_LEVEL",
    parse: enumOf("debug", "info", "warn", "error", "silent"),
    default: "info",
    doc: "debug, info, warn, error or silent.",
  },
} as const satisfies EnvTable;

/** Every environment variable of payment. */
export const paymentVariables = {
  ...databaseVariables,
  host: {
    name: "PAYMENT_HOST",
    parse: text,
    default: "127.0.0.1",
    doc: "Address that payment listens on.",
  },
  port: {
    name: "PAYMENT_PORT",
    parse: port,
    default: "50052",
    doc: "Port of payment's gRPC; when it is not set and taken, the next free one.",
  },
  webhookPort: {
    name: "PAYMENT_WEBHOOK_PORT",
    parse: port,
    default: "8082",
    doc: "Port of payment's HTTP: webhooks of providers, and the page that payers return to.",
  },
  opsPort: {
    name: "PAYMENT_OPS_PORT",
    parse: port,
    default: "9464",
    doc: "Port of payment's /healthz, /readyz and /metrics.",
  },
  publicUrl: {
    name: "PAYMENT_PUBLIC_URL",
    parse: url,
    default: "http://127.0.0.1:8082",
    doc: "How payers' browsers reach the webhook port, without a path.",
  },
  billingAddress: {
    name: "BILLING_ADDRESS",
    parse: text,
    default: "127.0.0.1:50051",
    doc: "Where billing is: host:port, dns:///name:port, or several ip:port between commas.",
  },
  serviceTokens: {
    name: "SERVICE_TOKENS",
    parse: secretTexts,
    required: true,
    secret: true,
    doc: "Tokens that Farebox's own services present, comma-separated; the first is presented to billing.",
  },
  apiKeyPepper: {
    name: "API_KEY_PEPPER",
    parse: secretText,
    required: true,
    secret: true,
    doc: "The same as billing's: customers call with their own API keys.",
  },
  pageTokenSecret: {
    name: "PAGE_TOKEN_SECRET",
    parse: secretText,
    required: true,
    secret: true,
    doc: "Secret that signs page tokens. At least 16 characters.",
  },
  stripeSecretKey: {
    name: "STRIPE_SECRET_KEY",
    parse: secretText,
    required: true,
    secret: true,
    doc: "Stripe's secret key, sk_test_… or sk_live_…; npm start brings the emulator's when it is not set.",
  },
  stripeWebhookSecrets: {
    name: "STRIPE_WEBHOOK_SECRETS",
    parse: secretTexts,
    required: true,
    secret: true,
    doc: "Signing secrets of the webhook endpoint, comma-separated: the old and the new one while they are rotated.",
  },
  stripeApiUrl: {
    name: "STRIPE_API_URL",
    parse: url,
    doc: "Another Stripe, such as the emulator; Stripe's own when not set.",
  },
  methods: {
    name: "PAYMENT_METHODS",
    parse: list(enumOf(...payableKinds)),
    default: "card,alipay,wechat_pay",
    doc: "What can be paid with, of card, alipay, wechat_pay (each to be switched on at Stripe as well) and bank_transfer.",
  },
  bankTransferInstructions: {
    name: "BANK_TRANSFER_INSTRUCTIONS",
    parse: text,
    doc: "Where to send transfers, for people: holder, IBAN or account number, bank. Needed with bank_transfer.",
  },
  displayName: {
    name: "PAYMENT_DISPLAY_NAME",
    parse: text,
    default: "Account credit",
    doc: "What payers see that they pay for.",
  },
  reconcilePeriodMs: {
    name: "PAYMENT_RECONCILE_PERIOD",
    parse: durationMsFrom("1s"),
    default: "10m",
    doc: "How often the provider's lists are compared with ours.",
  },
  autoRechargePeriodMs: {
    name: "AUTO_RECHARGE_PERIOD",
    parse: durationMsFrom("100ms"),
    default: "10s",
    doc: "How often the balance of an account that recharges by itself is looked at.",
  },
  mysqlConnections: {
    name: "PAYMENT_MYSQL_CONNECTIONS",
    parse: int(2, 1_000),
    default: "12",
    doc: "How many connections payment opens to MySQL at most.",
  },
} as const satisfies EnvTable;

/** How one payment process is set up. */
export type PaymentConfig = ReturnType<typeof readConfig>;

/** Reads payment's environment. Throws one Error that names every faulty variable. */
export function readConfig(env?: Readonly<Record<string, string | undefined>>) {
  const config = readEnv(paymentVariables, env);
  if (config.methods.includes("bank_transfer") && !config.bankTransferInstructions) {
    throw new Error("BANK_TRANSFER_INSTRUCTIONS is not set, and PAYMENT_METHODS has bank_transfer");
  }
  return Object.freeze(config);
}

/** Reads what a migration needs. Throws one Error that names every faulty variable. */
export function readMigrateConfig(env?: Readonly<Record<string, string | undefined>>) {
  return readEnv(databaseVariables, env);
}
