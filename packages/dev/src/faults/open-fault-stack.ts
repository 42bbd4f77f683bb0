import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Child, startChild } from "../child.ts";
import { freePort } from "../free-port.ts";
import { isAnswering } from "../readiness.ts";
import { openStack, type Stack } from "../stack/open-stack.ts";
import type { StackPlan } from "../stack/stack-plan.ts";
import { writeCatalogue } from "./fault-catalogue.ts";
import { type Office, openOffice } from "./office.ts";

/** A stack to be broken: everything private to it, short lives, and an upstream that no fault touches. */
export type FaultStack = AsyncDisposable & {
  readonly home: string;
  readonly upstreamUrl: string;
  /** The stack as it is now: another one after `restartAll`. */
  readonly stack: Stack;
  /** Calls to Billing, past every gateway and proxy. */
  readonly office: Office;
  /** Stops everything but the upstream with SIGTERM and starts it again on the same home. */
  restartAll(): Promise<void>;
};

/** What a fault stack is given beyond what every one has. */
export type FaultPlan = Pick<StackPlan, "gateways" | "billings" | "payments" | "hasDevice"> & {
  /** Added to the environment of every billing, and of the gateway of this name in this home. */
  readonly billing?: Readonly<Record<string, string>>;
  /** Added to the environment of Payment. */
  readonly payment?: Readonly<Record<string, string>>;
  /** Added to the environment of Device. */
  readonly device?: Readonly<Record<string, string>>;
  readonly gateway?: (name: string, home: string) => Readonly<Record<string, string>>;
};

/** How long a lease lives without renewal, and how long a suspect one is kept, in a fault stack. */
export const shortLives = { leaseValidForMs: 3_000, leaseSuspectMsMax: 3_000 } as const;

const upstreamMain = fileURLToPath(new URL("../upstream/main.ts", import.meta.url));

/**
 * Starts databases, an upstream, billings and gateways of their own in a temporary home. DATABASE_URL and REDIS_URL are not
 * used: what was given is never killed. Disposing ends all of it and removes the home, unless FAREBOX_TEST_KEEP is set.
 */
export async function openFaultStack(plan: FaultPlan): Promise<FaultStack> {
  const home = mkdtempSync(join(tmpdir(), "farebox-faults-"));
  await using undo = new AsyncDisposableStack();
  undo.defer(() => {
    if (!process.env.FAREBOX_TEST_KEEP) rmSync(home, { recursive: true, force: true });
  });
  const port = await freePort();
  const upstreamUrl = `http://127.0.0.1:${port}`;
  undo.use(await startUpstream(home, port));
  const files = writeCatalogue(home, upstreamUrl);
  const open = () =>
    openStack({
      home,
      given: {},
      log: process.env.FAREBOX_TEST_LOG ? console.log : () => undefined,
      plan: {
        gateways: plan.gateways ?? 1,
        billings: plan.billings ?? 1,
        payments: plan.payments ?? "off",
        hasDevice: plan.hasDevice ?? false,
        hasRandomPorts: true,
        upstreamUrl,
        env: (name) => {
          if (name.startsWith("billing"))
            return { ...shortBilling, ...files.billing, ...plan.billing };
          if (name.startsWith("gateway"))
            return { ...files.gateway, ...plan.gateway?.(name, home) };
          if (name === "device") return { ...plan.device };
          return name === "payment" ? { ...plan.payment } : {};
        },
      },
    });
  let stack = await open();
  let office = openOffice(stack);
  const close = async () => {
    office.close();
    await stack[Symbol.asyncDispose]();
  };
  undo.defer(() => close());
  const owned = undo.move();
  return {
    home,
    upstreamUrl,
    get stack() {
      return stack;
    },
    get office() {
      return office;
    },
    restartAll: async () => {
      await close();
      stack = await open();
      office = openOffice(stack);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const shortBilling = {
  LEASE_VALID_FOR: `${shortLives.leaseValidForMs}ms`,
  LEASE_SUSPECT_MAX: `${shortLives.leaseSuspectMsMax}ms`,
};

function startUpstream(home: string, port: number): Promise<Child> {
  return startChild(
    {
      name: "provider",
      command: process.execPath,
      args: [upstreamMain, "--port", String(port)],
      logFile: join(home, "provider", "provider.log"),
      pidFile: join(home, "provider", "pid"),
      isReady: () => isAnswering(`http://127.0.0.1:${port}/__totals`),
      readyTimeoutMs: 30_000,
      stopTimeoutMs: 5_000,
    },
    { log: () => undefined },
  );
}
