import {
  bool,
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
} from "@farebox/kit/env";
import { priceModes } from "./domain/owed-usage.ts";

const databaseVariables = {
  databaseUrl: {
    name: "DEVICE_DATABASE_URL",
    parse: secretText,
    required: true,
    secret: true,
    doc: "MySQL or MariaDB with a schema of Device's own, as mysql://user:password@host:port/schema.",
  },
  logLevel: {
    name: "LOG_LEVEL",
    parse: enumOf("debug", "info", "warn", "error", "silent"),
    default: "info",
    doc: "debug, info, warn, error or silent.",
  },
} as const satisfies EnvTable;

const serverVariables = {
  host: {
    name: "DEVICE_HOST",
    parse: text,
    default: "127.0.0.1",
    doc: "Address that device listens on.",
  },
  port: {
    name: "DEVICE_PORT",
    parse: port,
    default: "50053",
    doc: "Port of device's gRPC; when it is not set and taken, the next free one.",
  },
  opsPort: {
    name: "DEVICE_OPS_PORT",
    parse: port,
    default: "9464",
    doc: "Port of device's /healthz, /readyz and /metrics.",
  },
  billingAddress: {
    name: "BILLING_ADDRESS",
    parse: text,
    default: "127.0.0.1:50051",
    doc: "Where billing is: host:port, dns:///name:port, or several ip:port between commas.",
  },
  redisUrl: {
    name: "REDIS_URL",
    parse: text,
    required: true,
    doc: "Redis, for samples, live figures and events; the money does not depend on it.",
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
  mysqlConnections: {
    name: "DEVICE_MYSQL_CONNECTIONS",
    parse: int(2, 1_000),
    default: "16",
    doc: "How many connections device opens to MySQL at most.",
  },
} as const satisfies EnvTable;

const termVariables = {
  certFolder: {
    name: "DOCKER_CERT_PATH",
    parse: text,
    doc: "Folder with ca.pem, cert.pem and key.pem for engines at https://.",
  },
  images: {
    name: "DEVICE_IMAGES",
    parse: list(text),
    default: "",
    doc: "Images that may be run, comma-separated, * for any characters; none when empty. Nothing is ever pulled.",
  },
  network: {
    name: "DEVICE_NETWORK",
    parse: text,
    default: "bridge",
    doc: "The engines' network that containers are put in; none for no network. The engine's host network is refused.",
  },
  cpuMode: {
    name: "DEVICE_CPU_PRICE",
    parse: enumOf(...priceModes),
    default: "RESERVED",
    doc: "What time of cores is charged by: RESERVED, USED (measured) or LARGER. For allocations made from then on.",
  },
  memoryMode: {
    name: "DEVICE_MEMORY_PRICE",
    parse: enumOf(...priceModes),
    default: "RESERVED",
    doc: "What memory is charged by: RESERVED, USED (measured) or LARGER. For allocations made from then on.",
  },
  networkMb: {
    name: "DEVICE_NETWORK_ALLOWANCE_MB",
    parse: int(0, 1_073_741_824),
    default: "1024",
    doc: "Traffic, in units of 2^20 bytes, that a device's hold is made for beyond what it has sent.",
  },
  devicesMax: {
    name: "DEVICE_PER_ACCOUNT_MAX",
    parse: int(1, 100_000),
    default: "100",
    doc: "How many devices an account may have, waiting ones included.",
  },
  queueMax: {
    name: "DEVICE_QUEUE_MAX",
    parse: int(0, 100_000),
    default: "1000",
    doc: "How many devices may wait for room.",
  },
  isAllowedOnError: {
    name: "BILLING_ALLOW_ON_ERROR",
    parse: bool,
    default: "false",
    doc: "Whether devices are given while billing does not answer; they are billed when it does.",
  },
  tickMs: {
    name: "DEVICE_TICK",
    parse: durationMsFrom("50ms"),
    default: "2s",
    doc: "How often every running device is sampled.",
  },
  reportPeriodMs: {
    name: "DEVICE_REPORT_PERIOD",
    parse: durationMsFrom("100ms"),
    default: "5m",
    doc: "How often a running device is charged.",
  },
  lostAfterMs: {
    name: "DEVICE_LOST_AFTER",
    parse: durationMsFrom("100ms"),
    default: "5m",
    doc: "How long a node may be silent before its devices end; they are billed until they were last seen.",
  },
  restartPatienceMs: {
    name: "DEVICE_RESTART_PATIENCE",
    parse: durationMsFrom("0s"),
    default: "5s",
    doc: "How long a container may be down before its allocation ends.",
  },
  startPatienceMs: {
    name: "DEVICE_START_PATIENCE",
    parse: durationMsFrom("1s"),
    default: "1m",
    doc: "How long a device may take to start before it is given up.",
  },
  graceMs: {
    name: "DEVICE_GRACE",
    parse: durationMsFrom("0s"),
    default: "30s",
    doc: "How long a device goes on when its money has ended.",
  },
  warnMs: {
    name: "DEVICE_WARN_BEFORE",
    parse: durationMsFrom("0s"),
    default: "5m",
    doc: "How long before the end of money or term the owner is warned.",
  },
  stopTimeoutMs: {
    name: "DEVICE_STOP_TIMEOUT",
    parse: durationMsFrom("0s"),
    default: "5s",
    doc: "How long a container may take to stop before it is killed. Not billed.",
  },
} as const satisfies EnvTable;

const relayVariables = {
  relayTimeoutMs: {
    name: "USAGE_REPORT_TIMEOUT",
    parse: durationMsFrom("10ms"),
    default: "8s",
    doc: "How long billing may take to answer a usage report.",
  },
  relayRetriesMax: {
    name: "USAGE_REPORT_RETRIES",
    parse: int(0, 10),
    default: "3",
    doc: "How often a report is sent again at once, with back-off, before it waits for its next turn.",
  },
  breakerFailures: {
    name: "USAGE_REPORT_BREAKER_FAILURES",
    parse: int(1, 1_000),
    default: "5",
    doc: "After how many failures in a row billing is left alone.",
  },
  breakerOpenMs: {
    name: "USAGE_REPORT_BREAKER_OPEN",
    parse: durationMsFrom("10ms"),
    default: "30s",
    doc: "For how long, before one report is tried.",
  },
} as const satisfies EnvTable;

/** Every environment variable of device. */
export const deviceVariables = {
  ...databaseVariables,
  ...serverVariables,
  ...termVariables,
  ...relayVariables,
} as const satisfies EnvTable;

/** How one device process is set up. */
export type DeviceConfig = ReturnType<typeof readConfig>;

/** Reads device's environment. Throws one Error that names every faulty variable. */
export function readConfig(env?: Readonly<Record<string, string | undefined>>) {
  const config = readEnv(deviceVariables, env);
  if (config.network === "host" || config.network.startsWith("container:")) {
    throw new Error("DEVICE_NETWORK must not share a network: its traffic could not be told apart");
  }
  if (config.stopTimeoutMs > 10_000) {
    throw new Error("DEVICE_STOP_TIMEOUT must be at most 10s: a call to an engine takes no longer");
  }
  return Object.freeze(config);
}

/** Reads what a migration needs. Throws one Error that names every faulty variable. */
export function readMigrateConfig(env?: Readonly<Record<string, string | undefined>>) {
  return readEnv(databaseVariables, env);
}
