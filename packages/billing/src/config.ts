import { createHmac } from "node:crypto";
import {
  bool,
  durationMs,
  durationMsFrom,
  type EnvTable,
  enumOf,
  int,
  list,
  port,
  readEnv,
  Secret,
  secretText,
  text,
  url,
} from "@farebox/kit/env";
import { openRouterModelsUrl } from "./prices/pull-openrouter.ts";

const levels = enumOf("debug", "info", "warn", "error", "silent");

const databaseVariables = {
  databaseUrl: {
    name: "DATABASE_URL",
    parse: secretText,
    required: true,
    secret: true,
    doc: "MySQL or MariaDB, as mysql://user:password@host:port/schema.",
  },
  logLevel: {
    name: "LOG_LEVEL",
    parse: levels,
    default: "info",
    doc: "debug, info, warn, error or silent.",
  },
} as const satisfies EnvTable;

/** Every environment variable of billing. */
export const billingVariables = {
  ...databaseVariables,
  host: {
    name: "BILLING_HOST",
    parse: text,
    default: "127.0.0.1",
    doc: "Address that billing listens on.",
  },
  port: {
    name: "BILLING_PORT",
    parse: port,
    default: "50051",
    doc: "Port of billing's gRPC; when it is not set and taken, the next free one.",
  },
  opsPort: {
    name: "BILLING_OPS_PORT",
    parse: port,
    default: "9464",
    doc: "Port of billing's /healthz, /readyz and /metrics.",
  },
  serviceTokens: {
    name: "SERVICE_TOKENS",
    parse: someTokens,
    required: true,
    secret: true,
    doc: "Tokens that Farebox's own services present, comma-separated; several allow rotation. At least 16 characters each.",
  },
  apiKeyPepper: {
    name: "API_KEY_PEPPER",
    parse: longSecret(16),
    required: true,
    secret: true,
    doc: "Secret under which API keys are hashed; the same in billing and every gateway, and never changed. At least 16 characters.",
  },
  pageTokenSecret: {
    name: "PAGE_TOKEN_SECRET",
    parse: longSecret(16),
    secret: true,
    doc: "Secret that signs page tokens; derived from API_KEY_PEPPER when not set.",
  },
  autoCreateAccounts: {
    name: "AUTO_CREATE_ACCOUNTS",
    parse: bool,
    default: "false",
    doc: "Whether an unknown account that a service names is created by its first CheckQuota or DeductQuota.",
  },
  leaseValidForMs: {
    name: "LEASE_VALID_FOR",
    parse: durationMsFrom("1s"),
    default: "30s",
    doc: "How long a gateway's leases live after its last renewal; at least 1s.",
  },
  leaseSuspectMaxMs: {
    name: "LEASE_SUSPECT_MAX",
    parse: durationMs,
    default: "15m",
    doc: "How long the money of a lost gateway stays held before it returns to the accounts; no less than LEASE_VALID_FOR.",
  },
  paymentAddress: {
    name: "PAYMENT_ADDRESS",
    parse: text,
    doc: "Payment's gRPC, host:port. Without it recharges are refused.",
  },
  rechargeExpiresAfterMs: {
    name: "RECHARGE_EXPIRES_AFTER",
    parse: payingTime,
    default: "24h",
    doc: "How long a payer has to pay a recharge, 30m to 24h; money that comes later is credited all the same.",
  },
  usageRetentionDays: {
    name: "USAGE_RETENTION_DAYS",
    parse: int(0, 3_650),
    default: "90",
    doc: "How many days transactions are kept; 0 keeps them for ever. Hourly sums are always kept.",
  },
  leaseRetentionDays: {
    name: "LEASE_RETENTION_DAYS",
    parse: int(0, 3_650),
    default: "7",
    doc: "How many days a lease is kept after it ended, and a lost gateway's session; 0 keeps them for ever.",
  },
  requestIdRetentionDays: {
    name: "REQUEST_ID_RETENTION_DAYS",
    parse: int(0, 3_650),
    default: "400",
    doc: "How many days a client's x-request-id keeps its call from being made again; 0 keeps it for ever.",
  },
  priceSync: {
    name: "PRICE_SYNC",
    parse: enumOf("off", "openrouter"),
    default: "off",
    doc: "openrouter pulls prices every hour; off leaves it to SyncPrices.",
  },
  openRouterModelsUrl: {
    name: "OPENROUTER_MODELS_URL",
    parse: url,
    default: openRouterModelsUrl,
    doc: "Where prices are pulled from.",
  },
  pricesFile: {
    name: "FAREBOX_PRICES",
    parse: text,
    doc: "YAML file with the operator's own prices and exchange rates; the same for every billing process.",
  },
  freeQuotasFile: {
    name: "FAREBOX_FREE_QUOTAS",
    parse: text,
    doc: "YAML file with free quotas, set when billing starts.",
  },
  allowRelaxedDurability: {
    name: "ALLOW_RELAXED_DURABILITY",
    parse: bool,
    default: "false",
    doc: "Starts although a crash of the database may lose charges (innodb_flush_log_at_trx_commit is not 1).",
  },
  mysqlConnections: {
    name: "MYSQL_CONNECTIONS",
    parse: int(4, 1_000),
    default: "24",
    doc: "How many connections billing opens to MySQL at most, a quarter of them for everything but the hot path.",
  },
} as const satisfies EnvTable;

/** How one billing process is set up. */
export type BillingConfig = Omit<ReturnType<typeof readBillingVariables>, "pageTokenSecret"> & {
  readonly pageTokenSecret: Secret;
};

/** Reads billing's environment. Throws one Error that names every faulty variable. */
export function readConfig(env?: Readonly<Record<string, string | undefined>>): BillingConfig {
  const variables = readBillingVariables(env);
  const { leaseValidForMs, leaseSuspectMaxMs } = variables;
  if (leaseSuspectMaxMs < leaseValidForMs) {
    // Money would return, and request ids be claimed anew, while a gateway may still be spending from the lease.
    const why = `must be at least LEASE_VALID_FOR (${leaseValidForMs}ms), not ${leaseSuspectMaxMs}ms`;
    throw new Error(`faulty environment:\n  LEASE_SUSPECT_MAX ${why}`);
  }
  return Object.freeze({
    ...variables,
    pageTokenSecret: variables.pageTokenSecret ?? derivePageSecret(variables.apiKeyPepper),
  });
}

/** Reads what a migration needs. Throws one Error that names every faulty variable. */
export function readMigrateConfig(env?: Readonly<Record<string, string | undefined>>) {
  return readEnv(databaseVariables, env);
}

function readBillingVariables(env?: Readonly<Record<string, string | undefined>>) {
  return readEnv(billingVariables, env);
}

function derivePageSecret(pepper: Secret): Secret {
  return new Secret(createHmac("sha256", pepper.reveal()).update("page tokens").digest("hex"));
}

/** Secrets, one at least: without any, no gateway gets in. */
function someTokens(value: string, isDefault: boolean): readonly Secret[] {
  const tokens = list(longSecret(16))(value, isDefault);
  if (tokens.length === 0) throw new Error("must hold a token");
  return tokens;
}

/** How long a payer may have: payment pages live no shorter and no longer. */
function payingTime(value: string, isDefault: boolean): number {
  const ms = durationMs(value, isDefault);
  if (ms < 30 * 60_000 || ms > 24 * 3_600_000) throw new Error('must be from "30m" to "24h"');
  return ms;
}

/** A secret that cannot be guessed by being short. */
function longSecret(charsMin: number): (value: string) => Secret {
  return (value) => {
    if (value.length < charsMin) throw new Error(`must have at least ${charsMin} characters`);
    return new Secret(value);
  };
}
