import { readFileSync } from "node:fs";
import {
  bool,
  durationMs,
  durationMsFrom,
  type EnvTable,
  enumOf,
  int,
  list,
  nanos,
  port,
  readEnv,
  type Secret,
  secretText,
  text,
  url,
} from "@farebox/kit/env";
import { parse } from "yaml";
import { defaultUpstreams } from "./default-upstreams.ts";
import { parseUpstreams } from "./domain/parse-upstreams.ts";
import type { Upstream } from "./domain/upstream.ts";

/** Every environment variable of a gateway. */
export const gatewayVariables = {
  host: {
    name: "GATEWAY_HOST",
    parse: text,
    default: "127.0.0.1",
    doc: "Address that the gateway listens on.",
  },
  port: {
    name: "GATEWAY_PORT",
    parse: port,
    default: "8080",
    doc: "Port for clients; when it is not set and taken, the next free one.",
  },
  opsPort: {
    name: "GATEWAY_OPS_PORT",
    parse: port,
    default: "9464",
    doc: "Port of the gateway's /healthz, /readyz and /metrics.",
  },
  billingAddress: {
    name: "BILLING_ADDRESS",
    parse: text,
    default: "127.0.0.1:50051",
    doc: "Where billing is: host:port, dns:///name:port, or several ip:port between commas.",
  },
  paymentAddress: {
    name: "PAYMENT_ADDRESS",
    parse: text,
    doc: "Where payment is, host:port. Without it the edge refuses its methods.",
  },
  deviceAddress: {
    name: "DEVICE_ADDRESS",
    parse: text,
    doc: "Where device is, host:port. Without it the edge refuses its methods.",
  },
  serviceToken: {
    name: "SERVICE_TOKEN",
    parse: secretText,
    required: true,
    secret: true,
    doc: "Token that the gateway presents to billing; one of billing's SERVICE_TOKENS.",
  },
  apiKeyPepper: {
    name: "API_KEY_PEPPER",
    parse: secretText,
    required: true,
    secret: true,
    doc: "Secret under which API keys are hashed; the same in billing and every gateway.",
  },
  redisUrls: {
    name: "REDIS_URL",
    parse: oddServers,
    default: "",
    secret: true,
    doc: "Redis for the quota lock, as redis://host:port/db; an odd number between commas for Redlock; empty for no lock.",
  },
  journalDir: {
    name: "JOURNAL_DIR",
    parse: text,
    default: ".farebox/gateway/journal",
    doc: "Directory of the gateway's journal, on a disk that outlives the process; one gateway each.",
  },
  journalBytesMax: {
    name: "JOURNAL_BYTES_MAX",
    parse: int(1 << 20, 2 ** 40),
    default: "1073741824",
    doc: "Bound on the journal in bytes; new calls are refused at 80 % of it.",
  },
  quotaLock: {
    name: "QUOTA_LOCK",
    parse: enumOf("always", "contended", "off"),
    default: "always",
    doc: "Redlock around CheckQuota: always, contended (skipped by the only holder of an account), or off.",
  },
  allowOnError: {
    name: "BILLING_ALLOW_ON_ERROR",
    parse: bool,
    default: "false",
    doc: "Whether accounts in good standing are served while billing is away and no lease is open.",
  },
  graceNanos: {
    name: "BILLING_GRACE_AMOUNT",
    parse: amount,
    default: "1",
    doc: "What each account may spend so, per gateway, in its own currency.",
  },
  billing: {
    name: "BILLING",
    parse: enumOf("on", "off"),
    default: "on",
    doc: "off forwards calls without charging anything. For benchmarks only.",
  },
  upstreamsFile: {
    name: "FAREBOX_UPSTREAMS",
    parse: text,
    doc: "YAML file of upstreams; without it they are made of the provider keys that are set.",
  },
  openaiKey: {
    name: "OPENAI_API_KEY",
    parse: secretText,
    secret: true,
    doc: "Serves OpenAI's models, when there is no FAREBOX_UPSTREAMS.",
  },
  anthropicKey: {
    name: "ANTHROPIC_API_KEY",
    parse: secretText,
    secret: true,
    doc: "Serves Anthropic's models, when there is no FAREBOX_UPSTREAMS.",
  },
  openrouterKey: {
    name: "OPENROUTER_API_KEY",
    parse: secretText,
    secret: true,
    doc: "Serves OpenRouter's models, when there is no FAREBOX_UPSTREAMS.",
  },
  demoUpstreamUrl: {
    name: "DEMO_UPSTREAM_URL",
    parse: url,
    doc: "Answers in the place of providers for which no key is set.",
  },
  bodyBytesMax: {
    name: "BODY_BYTES_MAX",
    parse: int(1024, 2 ** 31 - 1),
    default: "33554432",
    doc: "The largest request body in bytes.",
  },
  answerBytesMax: {
    name: "ANSWER_BYTES_MAX",
    parse: int(1024, 2 ** 31 - 1),
    default: "33554432",
    doc: "The largest plain answer that carries its cost in a header; a larger one is passed on as it comes.",
  },
  upstreamFirstByteMs: {
    name: "UPSTREAM_TIMEOUT",
    parse: durationMsFrom("1s"),
    default: "10m",
    doc: "How long an upstream may take to its first byte; at least 1s.",
  },
  streamIdleMs: {
    name: "STREAM_IDLE_TIMEOUT",
    parse: durationMsFrom("1s"),
    default: "5m",
    doc: "How long an upstream may pause within an answer, and a client within reading one; at least 1s.",
  },
  upstreamConnectionsMax: {
    name: "UPSTREAM_CONNECTIONS_MAX",
    parse: int(1, 65_535),
    default: "4096",
    doc: "How many calls to one upstream may be in flight.",
  },
  connectionsMax: {
    name: "GATEWAY_CONNECTIONS_MAX",
    parse: int(1, 1_000_000),
    default: "16384",
    doc: "How many clients may be connected; more are turned away.",
  },
  shutdownMsMax: {
    name: "SHUTDOWN_TIMEOUT",
    parse: durationMs,
    default: "10s",
    doc: "How long calls in flight may take to finish when the gateway is stopped.",
  },
  topUpUrl: {
    name: "TOP_UP_URL",
    parse: url,
    doc: "Where money can be added; shown to clients that are refused for lack of it.",
  },
  logLevel: {
    name: "LOG_LEVEL",
    parse: enumOf("debug", "info", "warn", "error", "silent"),
    default: "info",
    doc: "debug, info, warn, error or silent.",
  },
} as const satisfies EnvTable;

/** How one gateway is set up. */
export type GatewayConfig = ReturnType<typeof readVariables> & {
  readonly upstreams: readonly Upstream[];
  /** The operator's provider keys, by the names of their variables. */
  readonly upstreamKeys: ReadonlyMap<string, Secret>;
};

/** Reads a gateway's environment and its upstreams file. Throws one Error that names every faulty variable. */
export function readConfig(
  env: Readonly<Record<string, string | undefined>> = process.env,
): GatewayConfig {
  const variables = readVariables(env);
  const { upstreamsFile } = variables;
  const upstreams =
    upstreamsFile === undefined
      ? defaultUpstreams(variables)
      : parseUpstreams(parse(readFileSync(upstreamsFile, "utf8")));
  const upstreamKeys = new Map<string, Secret>();
  const missing: string[] = [];
  for (const { name, apiKeyEnv } of upstreams) {
    if (apiKeyEnv === undefined) continue;
    const key = env[apiKeyEnv];
    if (key === undefined || key === "") missing.push(`${apiKeyEnv} (of upstream ${name})`);
    else upstreamKeys.set(apiKeyEnv, secretText(key, false));
  }
  if (missing.length > 0) throw new Error(`keys are not set: ${missing.join(", ")}`);
  return Object.freeze({ ...variables, upstreams, upstreamKeys });
}

/** The servers of a lock: none, or an odd number, of which more than half can agree. */
function oddServers(value: string, isDefault: boolean): readonly Secret[] {
  const servers = list(secretText)(value, isDefault);
  if (servers.length > 0 && servers.length % 2 === 0)
    throw new Error("must name an odd number of servers");
  return servers;
}

/** Money that can be spent. */
function amount(value: string, isDefault: boolean): bigint {
  const spendable = nanos(value, isDefault);
  if (spendable < 0n) throw new Error("must not be below zero");
  return spendable;
}

function readVariables(env: Readonly<Record<string, string | undefined>>) {
  return readEnv(gatewayVariables, env);
}
