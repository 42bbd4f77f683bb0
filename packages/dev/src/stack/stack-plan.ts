import { join } from "node:path";
import type { ChildSpec } from "../child.ts";
import { choosePorts, portOf, serviceNames } from "./service-ports.ts";
import { billingSpec, gatewaySpec, type SpecsRequest, upstreamSpec } from "./service-specs.ts";
import { keepSecrets } from "./stack-secrets.ts";

/** What a stack consists of beyond the usual: one gateway, one billing and a demo upstream of its own. */
export type StackPlan = {
  readonly gateways?: number;
  readonly billings?: number;
  /** Random ports instead of the well-known ones; see `PortsRequest`. */
  readonly hasRandomPorts?: boolean;
  /** A demo upstream that runs already and outlives the stack. */
  readonly upstreamUrl?: string;
  /** Whether a service starts again when one of its sources changes. */
  readonly isWatched?: boolean;
  /** Added to the environment of the process of this name (`gateway2`), over what the stack sets. */
  readonly env?: (name: string) => Readonly<Record<string, string>>;
};

/** A plan with everything decided: which processes there are, where, and how each is started. */
export type LaidPlan = SpecsRequest & {
  readonly gateways: readonly string[];
  readonly billings: readonly string[];
  readonly gatewayUrls: readonly string[];
  readonly billingAddresses: readonly string[];
  /** How to start the process of this name. Throws when the stack has none. */
  specOf(name: string): ChildSpec;
};

/** Decides ports, secrets and addresses of a plan in a home, keeping what an earlier run decided there. */
export async function layPlan(
  plan: StackPlan,
  place: { readonly home: string; readonly databaseUrl: string; readonly redisUrl: string },
): Promise<LaidPlan> {
  const gateways = serviceNames("gateway", plan.gateways ?? 1);
  const billings = serviceNames("billing", plan.billings ?? 1);
  const ports = await choosePorts(join(place.home, "ports.json"), {
    services: [...gateways, ...billings],
    hasRandomPorts: plan.hasRandomPorts ?? false,
  });
  const addressOf = (name: string) => `127.0.0.1:${portOf(ports, name)}`;
  const billingAddresses = billings.map(addressOf);
  const request: SpecsRequest = {
    ...place,
    ports,
    secrets: keepSecrets(join(place.home, "secrets.json")),
    billingAddress: billingAddresses.join(","),
    upstreamUrl: plan.upstreamUrl ?? `http://${addressOf("upstream")}`,
    env: plan.env ?? (() => ({})),
    isWatched: plan.isWatched ?? false,
  };
  return {
    ...{ ...request, gateways, billings, billingAddresses },
    gatewayUrls: gateways.map((name) => `http://${addressOf(name)}`),
    specOf: (name) => {
      if (gateways.includes(name)) return gatewaySpec(request, name);
      if (billings.includes(name)) return billingSpec(request, name);
      if (name === "upstream") return upstreamSpec(request);
      throw new Error(`the stack has no process ${name}`);
    },
  };
}
