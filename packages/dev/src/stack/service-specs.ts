import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ChildSpec } from "../child.ts";
import { isAnswering } from "../readiness.ts";
import type { ServicePorts } from "./service-ports.ts";
import type { StackSecrets } from "./stack-secrets.ts";

const packages = fileURLToPath(new URL("../../..", import.meta.url));
const host = "127.0.0.1";

/** What the processes of a stack are started with. */
export type SpecsRequest = {
  readonly home: string;
  readonly ports: ServicePorts;
  readonly secrets: StackSecrets;
  readonly databaseUrl: string;
  readonly redisUrl: string;
};

/** The demo upstream: an LLM provider in a process of its own, for installations without a provider's key. */
export function upstreamSpec(request: SpecsRequest): ChildSpec {
  const { home, ports } = request;
  return nodeSpec(home, {
    name: "upstream",
    main: "dev/src/upstream/main.ts",
    readyUrl: `http://${host}:${ports.upstream}/__totals`,
    env: {
      DEMO_UPSTREAM_PORT: String(ports.upstream),
      DEMO_UPSTREAM_LOG_FILE: join(home, "upstream", "attempts.jsonl"),
    },
  });
}

/** Billing. It migrates its schema before it serves. */
export function billingSpec(request: SpecsRequest): ChildSpec {
  const { home, ports, secrets } = request;
  return nodeSpec(home, {
    name: "billing",
    main: "billing/src/main.ts",
    readyUrl: `http://${host}:${ports.billingOps}/readyz`,
    env: {
      BILLING_HOST: host,
      BILLING_PORT: String(ports.billing),
      BILLING_OPS_PORT: String(ports.billingOps),
      DATABASE_URL: request.databaseUrl,
      SERVICE_TOKENS: secrets.serviceToken,
      API_KEY_PEPPER: secrets.apiKeyPepper,
      PAGE_TOKEN_SECRET: secrets.pageTokenSecret,
    },
  });
}

/** The gateway, with its journal in the home. */
export function gatewaySpec(request: SpecsRequest): ChildSpec {
  const { home, ports, secrets } = request;
  return nodeSpec(home, {
    name: "gateway",
    main: "gateway/src/main.ts",
    readyUrl: `http://${host}:${ports.gatewayOps}/readyz`,
    env: {
      GATEWAY_HOST: host,
      GATEWAY_PORT: String(ports.gateway),
      GATEWAY_OPS_PORT: String(ports.gatewayOps),
      BILLING_ADDRESS: `${host}:${ports.billing}`,
      REDIS_URL: request.redisUrl,
      SERVICE_TOKEN: secrets.serviceToken,
      API_KEY_PEPPER: secrets.apiKeyPepper,
      JOURNAL_DIR: join(home, "gateway", "journal"),
      DEMO_UPSTREAM_URL: `http://${host}:${ports.upstream}`,
    },
  });
}

type NodeProcess = {
  readonly name: string;
  readonly main: string;
  readonly readyUrl: string;
  readonly env: Readonly<Record<string, string>>;
};

function nodeSpec(home: string, node: NodeProcess): ChildSpec {
  return {
    name: node.name,
    command: process.execPath,
    args: [join(packages, node.main)],
    env: node.env,
    logFile: join(home, "logs", `${node.name}.log`),
    pidFile: join(home, node.name, "pid"),
    isReady: () => isAnswering(node.readyUrl),
    readyTimeoutMs: 60_000,
    stopTimeoutMs: 20_000,
  };
}
