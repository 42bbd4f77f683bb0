import { existsSync, readFileSync } from "node:fs";
import { claimPort } from "../claim-port.ts";
import { freePort } from "../free-port.ts";
import { writePrivately } from "./stack-secrets.ts";

/** The ports of a stack's own processes, by name. A second gateway's are `gateway2` and `gateway2Ops`. */
export type ServicePorts = Readonly<Record<string, number>>;

const defaults: ServicePorts = {
  gateway: 8080,
  billing: 50051,
  gatewayOps: 9464,
  billingOps: 9465,
  upstream: 9466,
  payment: 50052,
  paymentOps: 9467,
  paymentWebhook: 8082,
  stripeEmulator: 9468,
  device: 50053,
  deviceOps: 9469,
};

// Where the search for the ports of a second gateway or billing begins.
const extraPortsFrom = 20_000;

const variables: Readonly<Record<string, string>> = {
  gateway: "GATEWAY_PORT",
  billing: "BILLING_PORT",
  gatewayOps: "GATEWAY_OPS_PORT",
  billingOps: "BILLING_OPS_PORT",
  upstream: "DEMO_UPSTREAM_PORT",
  payment: "PAYMENT_PORT",
  paymentOps: "PAYMENT_OPS_PORT",
  paymentWebhook: "PAYMENT_WEBHOOK_PORT",
  stripeEmulator: "STRIPE_EMULATOR_PORT",
  device: "DEVICE_PORT",
  deviceOps: "DEVICE_OPS_PORT",
};

/** The names of `count` processes of a kind: `gateway`, `gateway2`, `gateway3`. */
export function serviceNames(kind: "gateway" | "billing", count: number): readonly string[] {
  return Array.from({ length: count }, (_, at) => (at === 0 ? kind : `${kind}${at + 1}`));
}

/** Which ports are needed, and whether they are to keep off the well-known ones. */
export type PortsRequest = {
  /** What each port is for: `gateway2`, `gateway2Ops`, `upstream`. */
  readonly names: readonly string[];
  /** Random ports instead of the defaults and of those set in the environment: many stacks can then start at once. */
  readonly hasRandomPorts: boolean;
};

/**
 * Chooses a port for each name: one set in the environment as it is, else the one of the last run, else the
 * default, giving way to the next that is free and that no other stack has chosen. They are kept in `file`, so that a
 * second start finds the same addresses.
 *
 * A port that was set and is taken is left to the process itself, which refuses to start and says so.
 */
export async function choosePorts(file: string, request: PortsRequest): Promise<ServicePorts> {
  const { names, hasRandomPorts } = request;
  const kept: ServicePorts = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
  const chosen: Record<string, number> = {};
  for (const name of names) {
    const set = hasRandomPorts ? 0 : Number(process.env[variables[name] ?? ""] || 0);
    if (set > 0) {
      chosen[name] = set;
      continue;
    }
    chosen[name] = hasRandomPorts
      ? await randomPort(kept[name], Object.values(chosen))
      : await claimPort(kept[name] ?? defaults[name] ?? extraPortsFrom);
  }
  writePrivately(file, chosen);
  return chosen;
}

async function randomPort(kept: number | undefined, others: readonly number[]): Promise<number> {
  let port = await freePort(kept);
  while (others.includes(port)) port = await freePort();
  return port;
}

/** The port of this name. Throws when the stack has none. */
export function portOf(ports: ServicePorts, name: string): number {
  const port = ports[name];
  if (port === undefined) throw new Error(`the stack has no port ${name}`);
  return port;
}
