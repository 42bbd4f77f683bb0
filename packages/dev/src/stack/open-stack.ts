import { mkdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { migrate } from "@farebox/billing/migrate";
import { migrateDevice } from "@farebox/device/migrate";
import { migratePayment } from "@farebox/payment/migrate";
import type { Child } from "../child.ts";
import { type Databases, openDatabases } from "../databases/open-databases.ts";
import { type Seeded, seed } from "../seed/seed.ts";
import { type DevFile, keepDevFile } from "./dev-file.ts";
import { portOf } from "./service-ports.ts";
import { type LaidPlan, layPlan, type StackPlan } from "./stack-plan.ts";
import { type StackProcesses, stackProcesses } from "./stack-processes.ts";

/** A whole installation on this machine: databases, billing, payment, gateway and the demo upstream. */
export type Stack = AsyncDisposable & {
  readonly home: string;
  readonly dev: Omit<DevFile, "pids">;
  readonly databases: Databases;
  /** The processes other than the databases, by name: `gateway`, `gateway2`, `billing`, `payment`. */
  readonly children: ReadonlyMap<string, Child>;
  /** Of every gateway, in the order of their names. */
  readonly gatewayUrls: readonly string[];
  /** host:port of every billing process, in the order of their names. */
  readonly billingAddresses: readonly string[];
  /** The emulator's secret key; undefined without it. */
  readonly stripeKey: string | undefined;
  /** Starts a process again that was stopped for good, with the settings and the port it had. */
  start(name: string): Promise<void>;
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
  readonly plan?: StackPlan;
  /** Gives up between two steps: no other one begins, what was started is stopped, and the reason is thrown. */
  readonly signal?: AbortSignal;
};

/**
 * Starts everything and returns when it is ready, seeded, and written to `dev.json`.
 *
 * A process of its own that dies is started again on the same port, with back-off. A second start on the same home finds
 * the same data and, when they are free, the same ports. Disposing stops what was started here, gateways first, so that
 * they can settle with billing and billing with its database.
 */
export async function openStack(request: StackRequest): Promise<Stack> {
  const { signal } = request;
  signal?.throwIfAborted();
  const home = resolve(request.home);
  mkdirSync(home, { recursive: true, mode: 0o700 });
  await using undo = new AsyncDisposableStack();
  let databases: Databases | undefined;
  let processes: StackProcesses | undefined;
  const devFile = keepDevFile(join(home, "dev.json"), () => ({
    ...databases?.pids(),
    ...processes?.pids(),
  }));
  const watcher = { log: request.log, onPid: () => devFile.refresh() };

  databases = undo.use(await openDatabases({ home, given: request.given, ...watcher }));
  signal?.throwIfAborted();
  // The home is ours now: what an earlier run wrote is not true, and who waits for the file waits for this run.
  rmSync(join(home, "dev.json"), { force: true });
  const plan = await layPlan(request.plan ?? {}, {
    home,
    databaseUrl: billingUrl(databases.databaseUrl),
    redisUrl: databases.redisUrl,
  });
  processes = undo.use(stackProcesses(plan, watcher));
  const isUpstreamGiven = request.plan?.upstreamUrl !== undefined;
  const seeded = await startAll(plan, processes, { isUpstreamGiven, signal });
  signal?.throwIfAborted();
  const dev = devOf(plan, seeded);
  devFile.publish(dev);
  const owned = undo.move();
  const { children, start } = processes;
  const { gatewayUrls, billingAddresses } = plan;
  return {
    ...{ home, dev, databases, children, gatewayUrls, billingAddresses, start },
    stripeKey: plan.payment?.emulatorUrl && plan.secrets.emulatorKey,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

type StartRequest = {
  readonly isUpstreamGiven: boolean;
  readonly signal: AbortSignal | undefined;
};

async function startAll(
  plan: LaidPlan,
  { start }: StackProcesses,
  { isUpstreamGiven, signal }: StartRequest,
): Promise<Seeded> {
  await migrate(plan.databaseUrl);
  if (plan.payment) await migratePayment(plan.payment.databaseUrl);
  if (plan.deviceDatabaseUrl) await migrateDevice(plan.deviceDatabaseUrl);
  signal?.throwIfAborted();
  const providers = [
    ...(isUpstreamGiven ? [] : ["upstream"]),
    ...(plan.payment?.emulatorUrl ? ["stripeEmulator"] : []),
  ];
  await Promise.all([...plan.billings, ...providers].map(start));
  signal?.throwIfAborted();
  const [seeded] = await Promise.all([
    seed({
      billingAddress: plan.billingAddress,
      serviceToken: plan.secrets.serviceToken,
      keptIn: join(plan.home, "seed.json"),
    }),
    ...[...plan.gateways, ...callersOf(plan)].map(start),
  ]);
  return seeded;
}

/** The services beside the gateways that call Billing. */
function callersOf({ payment, deviceDatabaseUrl }: LaidPlan): readonly string[] {
  return [...(payment ? ["payment"] : []), ...(deviceDatabaseUrl ? ["device"] : [])];
}

function devOf(plan: LaidPlan, seeded: Seeded): Omit<DevFile, "pids"> {
  const { ports, gateways, billings, payment } = plan;
  return {
    gatewayUrl: `http://127.0.0.1:${portOf(ports, "gateway")}`,
    billingAddress: `127.0.0.1:${portOf(ports, "billing")}`,
    paymentAddress: plan.paymentAddress,
    paymentWebhookUrl: payment?.webhookUrl,
    stripeEmulatorUrl: payment?.emulatorUrl,
    deviceAddress: plan.deviceAddress,
    demoUpstreamUrl: plan.upstreamUrl,
    metricsUrls: Object.fromEntries(
      [...gateways, ...billings, ...callersOf(plan)].map((name) => [
        name,
        `http://127.0.0.1:${portOf(ports, `${name}Ops`)}/metrics`,
      ]),
    ),
    databaseUrl: plan.databaseUrl,
    redisUrl: plan.redisUrl,
    demoAccountId: seeded.richAccount.accountId,
    demoApiKey: seeded.richAccount.apiKey,
    adminApiKey: seeded.operator.apiKey,
    serviceToken: plan.secrets.serviceToken,
  };
}

/** Billing's own schema: the database the URL names, or `farebox` when it names none. */
function billingUrl(databaseUrl: string): string {
  const url = new URL(databaseUrl);
  if (url.pathname.length <= 1) url.pathname = "/farebox";
  return url.toString();
}
