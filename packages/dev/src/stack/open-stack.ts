import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Child, type ChildSpec, startChild } from "../child.ts";
import { type Databases, openDatabases } from "../databases/open-databases.ts";
import { seed } from "../seed/seed.ts";
import { type DevFile, keepDevFile } from "./dev-file.ts";
import { choosePorts } from "./service-ports.ts";
import { billingSpec, gatewaySpec, type SpecsRequest, upstreamSpec } from "./service-specs.ts";
import { keepSecrets } from "./stack-secrets.ts";

/** A whole installation on this machine: databases, billing, gateway and the demo upstream. */
export type Stack = AsyncDisposable & {
  readonly home: string;
  readonly dev: Omit<DevFile, "pids">;
  readonly databases: Databases;
  /** The processes other than the databases, by name. */
  readonly children: ReadonlyMap<string, Child>;
};

/** What `openStack` is told. */
export type StackRequest = {
  /** The folder that all of it lives in. */
  readonly home: string;
  readonly given: {
    readonly databaseUrl?: string | undefined;
    readonly redisUrl?: string | undefined;
  };
  readonly log: (line: string) => void;
};

/**
 * Starts everything and returns when it is ready, seeded, and written to `dev.json`.
 *
 * A process of its own that dies is started again on the same port, with back-off. A second start on the same home finds
 * the same data and, when they are free, the same ports. Disposing stops what was started here, in the reverse order,
 * so that the gateway can settle with billing and billing with its database.
 */
export async function openStack(request: StackRequest): Promise<Stack> {
  const home = resolve(request.home);
  mkdirSync(home, { recursive: true, mode: 0o700 });
  await using undo = new AsyncDisposableStack();
  const children = new Map<string, Child>();
  let databases: Databases | undefined;
  const devFile = keepDevFile(join(home, "dev.json"), () => ({
    ...databases?.pids(),
    ...pidsOf(children),
  }));
  const watcher = { log: request.log, onPid: () => devFile.refresh() };

  databases = undo.use(await openDatabases({ home, given: request.given, ...watcher }));
  const specs: SpecsRequest = {
    home,
    ports: await choosePorts(join(home, "ports.json")),
    secrets: keepSecrets(join(home, "secrets.json")),
    databaseUrl: billingUrl(databases.databaseUrl),
    redisUrl: databases.redisUrl,
  };
  const start = async (spec: ChildSpec) => {
    const child = undo.use(await startChild(spec, watcher));
    children.set(spec.name, child);
  };
  await Promise.all([start(upstreamSpec(specs)), start(billingSpec(specs))]);
  const { ports, secrets } = specs;
  const billingAddress = `127.0.0.1:${ports.billing}`;
  const [seeded] = await Promise.all([
    seed({ billingAddress, serviceToken: secrets.serviceToken, keptIn: join(home, "seed.json") }),
    start(gatewaySpec(specs)),
  ]);
  const dev = {
    gatewayUrl: `http://127.0.0.1:${ports.gateway}`,
    billingAddress,
    demoUpstreamUrl: `http://127.0.0.1:${ports.upstream}`,
    metricsUrls: {
      gateway: `http://127.0.0.1:${ports.gatewayOps}/metrics`,
      billing: `http://127.0.0.1:${ports.billingOps}/metrics`,
    },
    databaseUrl: specs.databaseUrl,
    redisUrl: specs.redisUrl,
    demoAccountId: seeded.richAccount.accountId,
    demoApiKey: seeded.richAccount.apiKey,
    adminApiKey: seeded.operator.apiKey,
    serviceToken: secrets.serviceToken,
  };
  devFile.publish(dev);
  const owned = undo.move();
  return { home, dev, databases, children, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Billing's own schema: the database the URL names, or `farebox` when it names none. */
function billingUrl(databaseUrl: string): string {
  const url = new URL(databaseUrl);
  if (url.pathname.length <= 1) url.pathname = "/farebox";
  return url.toString();
}

function pidsOf(children: ReadonlyMap<string, Child>): Record<string, number> {
  const pids: Record<string, number> = {};
  for (const [name, child] of children) {
    const pid = child.pid();
    if (pid !== undefined) pids[name] = pid;
  }
  return pids;
}
