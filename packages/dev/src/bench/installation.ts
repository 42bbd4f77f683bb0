import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { migrate } from "@farebox/billing/migrate";
import { type Child, type ChildSpec, startChild } from "../child.ts";
import { type Databases, openDatabases } from "../databases/open-databases.ts";
import { freePort } from "../free-port.ts";
import { billingSpec, gatewaySpec, type SpecsRequest } from "../stack/service-specs.ts";
import { keepSecrets, type StackSecrets } from "../stack/stack-secrets.ts";
import { benchPriceFile, benchProvider } from "./conserve/bench-price.ts";
import { benchModel } from "./targets/ready-answers.ts";
import { scriptSpec } from "./targets/script-spec.ts";

/** Databases and Billing of the benchmark's own, and power to start what is measured beside them. */
export type Installation = AsyncDisposable & {
  readonly home: string;
  readonly databaseUrl: string;
  readonly redisUrl: string;
  readonly billingAddress: string;
  readonly secrets: StackSecrets;
  readonly billing: Child;
  /** Undefined for a database that was given. */
  databasePid(): number | undefined;
  /** Keeps a program running until the installation is disposed. */
  start(spec: ChildSpec): Promise<Child>;
  /** Starts the provider that everything is forwarded to. Returns its URL. */
  startUpstream(): Promise<string>;
  /** Starts a gateway in front of the provider, under a name of its own. */
  startGateway(gateway: GatewayRequest): Promise<RunningProxy>;
};

/** A gateway to start. */
export type GatewayRequest = {
  readonly name: string;
  readonly upstreamUrl: string;
  readonly env: Readonly<Record<string, string>>;
};

/** A proxy that serves, and the process whose CPU it uses. */
export type RunningProxy = { readonly url: string; readonly child: Child };

/** What `openInstallation` is told. */
export type InstallationRequest = {
  /** A folder of its own, emptied by whoever made it. */
  readonly home: string;
  /** Databases to use instead of private ones; the database named in the URL must be new. */
  readonly given: { readonly databaseUrl?: string; readonly redisUrl?: string };
  /** Where Node processes leave CPU profiles when they end; undefined for none. */
  readonly profileFolder: string | undefined;
  readonly log: (line: string) => void;
};

/** Starts the databases, at full durability when they are private, and Billing with the benchmark's price. */
export async function openInstallation(request: InstallationRequest): Promise<Installation> {
  const { home, given, log } = request;
  await using undo = new AsyncDisposableStack();
  const databases = undo.use(await openDatabases({ home, given, log }));
  const children = undo.use(new AsyncDisposableStack());
  const start = async (spec: ChildSpec) =>
    children.use(await startChild(profiled(spec, request.profileFolder), { log }));
  const specs = await specsOf(home, databases);
  await migrate(specs.databaseUrl);
  const billing = await start(billingSpec(specs, "billing"));
  const owned = undo.move();
  const { databaseUrl, redisUrl, billingAddress, secrets } = specs;
  return {
    ...{ home, databaseUrl, redisUrl, billingAddress, secrets, billing, start },
    databasePid: () => databases.pids().mariadb,
    startUpstream: async () => {
      const script = await scriptSpec(home, { name: "upstream", file: "bench-upstream.ts" });
      await start(script.spec);
      return script.url;
    },
    startGateway: (gateway) => startGateway({ specs, start }, gateway),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function startGateway(
  deps: { readonly specs: SpecsRequest; readonly start: Installation["start"] },
  { name, upstreamUrl, env }: GatewayRequest,
): Promise<RunningProxy> {
  const { specs, start } = deps;
  const upstreams = join(specs.home, `${name}-upstreams.yaml`);
  const upstream = {
    name: benchProvider,
    dialect: "openai",
    base_url: `${upstreamUrl}/v1`,
    models: [benchModel],
  };
  writeFileSync(upstreams, JSON.stringify({ upstreams: [upstream] }));
  const port = await freePort();
  const ports = { ...specs.ports, [name]: port, [`${name}Ops`]: await freePort() };
  const spec = gatewaySpec(
    { ...specs, ports, upstreamUrl, env: () => ({ FAREBOX_UPSTREAMS: upstreams, ...env }) },
    name,
  );
  return { url: `http://127.0.0.1:${port}`, child: await start(spec) };
}

async function specsOf(home: string, databases: Databases): Promise<SpecsRequest> {
  const ports = { billing: await freePort(), billingOps: await freePort() };
  const prices = join(home, "prices.yaml");
  writeFileSync(prices, benchPriceFile);
  return {
    home,
    ports,
    secrets: keepSecrets(join(home, "secrets.json")),
    databaseUrl: databases.databaseUrl,
    redisUrl: databases.redisUrl,
    billingAddress: `127.0.0.1:${ports.billing}`,
    upstreamUrl: "",
    env: () => ({ FAREBOX_PRICES: prices }),
  };
}

function profiled(spec: ChildSpec, folder: string | undefined): ChildSpec {
  if (folder === undefined || spec.command !== process.execPath) return spec;
  const flags = ["--cpu-prof", `--cpu-prof-dir=${join(folder, spec.name)}`];
  return { ...spec, args: [...flags, ...spec.args] };
}
