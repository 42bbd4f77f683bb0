import { existsSync, readFileSync } from "node:fs";
import { freePort } from "../free-port.ts";
import { writePrivately } from "./stack-secrets.ts";

/** The ports of a stack's own processes, by name. */
export type ServicePorts = Readonly<Record<PortName, number>>;

export type PortName = "gateway" | "gatewayOps" | "billing" | "billingOps" | "upstream";

const defaults: ServicePorts = {
  gateway: 8080,
  billing: 50051,
  gatewayOps: 9464,
  billingOps: 9465,
  upstream: 9466,
};

const variables: Readonly<Record<PortName, string>> = {
  gateway: "GATEWAY_PORT",
  billing: "BILLING_PORT",
  gatewayOps: "GATEWAY_OPS_PORT",
  billingOps: "BILLING_OPS_PORT",
  upstream: "DEMO_UPSTREAM_PORT",
};

/**
 * Chooses the ports: one set in the environment as it is, else the one of the last run, else the default, giving way to the
 * next free one. They are kept in `file`, so that a second start finds the same addresses.
 *
 * A port that was set and is taken is left to the process itself, which refuses to start and says so.
 */
export async function choosePorts(file: string): Promise<ServicePorts> {
  const kept: Partial<ServicePorts> = existsSync(file)
    ? JSON.parse(readFileSync(file, "utf8"))
    : {};
  const chosen: Partial<Record<PortName, number>> = {};
  for (const name of portNames) {
    const set = Number(process.env[variables[name]] || 0);
    if (set > 0) {
      chosen[name] = set;
      continue;
    }
    let port = await freePort(kept[name] ?? defaults[name]);
    while (Object.values(chosen).includes(port)) port = await freePort(port + 1);
    chosen[name] = port;
  }
  const ports: ServicePorts = { ...defaults, ...chosen };
  writePrivately(file, ports);
  return ports;
}

const portNames: readonly PortName[] = [
  "gateway",
  "billing",
  "gatewayOps",
  "billingOps",
  "upstream",
];
