import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ChildSpec } from "../child.ts";
import { isAnswering } from "../readiness.ts";
import { portOf, type ServicePorts } from "./service-ports.ts";
import type { StackSecrets } from "./stack-secrets.ts";

const packages = fileURLToPath(new URL("../../..", import.meta.url));
/** What everything of a stack listens on. */
export const host = "127.0.0.1";

/** What the processes of a stack are started with. */
export type SpecsRequest = {
  readonly home: string;
  readonly ports: ServicePorts;
  readonly secrets: StackSecrets;
  readonly databaseUrl: string;
  readonly redisUrl: string;
  /** host:port of every billing process, joined by commas. */
  readonly billingAddress: string;
  /** host:port; undefined without Payment. */
  readonly paymentAddress?: string | undefined;
  /** host:port; undefined without Device. */
  readonly deviceAddress?: string | undefined;
  readonly upstreamUrl: string;
  /** Whether a service starts again when one of its sources changes. */
  readonly isWatched?: boolean;
  /** Added to the environment of the process of this name, over what is set here. */
  readonly env: (name: string) => Readonly<Record<string, string>>;
};

/** The demo upstream: an LLM provider in a process of its own, for installations without a provider's key. */
export function upstreamSpec(request: SpecsRequest): ChildSpec {
  const { home, ports } = request;
  return nodeSpec(request, {
    name: "upstream",
    main: "dev/src/upstream/main.ts",
    readyUrl: `http://${host}:${portOf(ports, "upstream")}/__totals`,
    env: {
      DEMO_UPSTREAM_PORT: String(portOf(ports, "upstream")),
      DEMO_UPSTREAM_LOG_FILE: join(home, "upstream", "attempts.jsonl"),
    },
  });
}

/** A billing process, for a schema that has been migrated. */
export function billingSpec(request: SpecsRequest, name: string): ChildSpec {
  const { ports, secrets } = request;
  const opsPort = portOf(ports, `${name}Ops`);
  return nodeSpec(request, {
    name,
    main: "billing/src/main.ts",
    readyUrl: `http://${host}:${opsPort}/readyz`,
    env: {
      BILLING_HOST: host,
      BILLING_PORT: String(portOf(ports, name)),
      BILLING_OPS_PORT: String(opsPort),
      DATABASE_URL: request.databaseUrl,
      SERVICE_TOKENS: secrets.serviceToken,
      API_KEY_PEPPER: secrets.apiKeyPepper,
      PAGE_TOKEN_SECRET: secrets.pageTokenSecret,
      PAYMENT_ADDRESS: request.paymentAddress ?? "",
    },
  });
}

/** A gateway, with a journal of its own in the home. */
export function gatewaySpec(request: SpecsRequest, name: string): ChildSpec {
  const { home, ports, secrets } = request;
  const opsPort = portOf(ports, `${name}Ops`);
  return nodeSpec(request, {
    name,
    main: "gateway/src/main.ts",
    readyUrl: `http://${host}:${opsPort}/readyz`,
    env: {
      GATEWAY_HOST: host,
      GATEWAY_PORT: String(portOf(ports, name)),
      GATEWAY_OPS_PORT: String(opsPort),
      BILLING_ADDRESS: request.billingAddress,
      PAYMENT_ADDRESS: request.paymentAddress ?? "",
      DEVICE_ADDRESS: request.deviceAddress ?? "",
      REDIS_URL: request.redisUrl,
      SERVICE_TOKEN: secrets.serviceToken,
      API_KEY_PEPPER: secrets.apiKeyPepper,
      JOURNAL_DIR: join(home, name, "journal"),
      DEMO_UPSTREAM_URL: request.upstreamUrl,
    },
  });
}

type NodeProcess = {
  readonly name: string;
  readonly main: string;
  readonly readyUrl: string;
  readonly env: Readonly<Record<string, string>>;
};

/** A process of a stack: how it is started, where it logs, and when it is ready. */
export function nodeSpec({ home, env, isWatched }: SpecsRequest, node: NodeProcess): ChildSpec {
  return {
    name: node.name,
    command: process.execPath,
    args: [...(isWatched ? ["--watch", "--watch-preserve-output"] : []), join(packages, node.main)],
    env: { ...node.env, ...env(node.name) },
    logFile: join(home, "logs", `${node.name}.log`),
    pidFile: join(home, node.name, "pid"),
    isReady: () => isAnswering(node.readyUrl),
    readyTimeoutMs: 60_000,
    stopTimeoutMs: 20_000,
  };
}
