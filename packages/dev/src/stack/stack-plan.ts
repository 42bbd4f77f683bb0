import { join } from "node:path";
import type { ChildSpec } from "../child.ts";
import { deviceSpec } from "./device-spec.ts";
import { emulatorSpec, type PaymentPlace, paymentSpec } from "./payment-specs.ts";
import { choosePorts, portOf, type ServicePorts, serviceNames } from "./service-ports.ts";
import { billingSpec, gatewaySpec, type SpecsRequest, upstreamSpec } from "./service-specs.ts";
import { keepSecrets } from "./stack-secrets.ts";

/** What a stack consists of beyond the usual: one gateway, one billing, Payment and a demo upstream of its own. */
export type StackPlan = {
  readonly gateways?: number;
  readonly billings?: number;
  /** Who collects money; by default Stripe when STRIPE_SECRET_KEY is set, else its emulator. */
  readonly payments?: "stripe" | "emulator" | "off";
  /** Whether Device is there as well; by default it is not. */
  readonly hasDevice?: boolean;
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
  /** Payment's place; undefined without Payment. */
  readonly payment: PaymentPlace | undefined;
  /** Device's own schema; undefined without Device. */
  readonly deviceDatabaseUrl: string | undefined;
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
  const payments = plan.payments ?? (process.env.STRIPE_SECRET_KEY ? "stripe" : "emulator");
  const ports = await choosePorts(join(place.home, "ports.json"), {
    names: [
      ...portNames([...gateways, ...billings], payments),
      ...(plan.hasDevice ? ["device", "deviceOps"] : []),
    ],
    hasRandomPorts: plan.hasRandomPorts ?? false,
  });
  const addressOf = (name: string) => `127.0.0.1:${portOf(ports, name)}`;
  const billingAddresses = billings.map(addressOf);
  const payment = payments === "off" ? undefined : placePayment(place, ports, payments);
  const deviceDatabaseUrl = plan.hasDevice
    ? process.env.DEVICE_DATABASE_URL || besideOf(place.databaseUrl, "device")
    : undefined;
  const request: SpecsRequest = {
    ...place,
    ports,
    paymentAddress: payment && addressOf("payment"),
    deviceAddress: deviceDatabaseUrl && addressOf("device"),
    secrets: keepSecrets(join(place.home, "secrets.json")),
    billingAddress: billingAddresses.join(","),
    upstreamUrl: plan.upstreamUrl ?? `http://${addressOf("upstream")}`,
    env: plan.env ?? (() => ({})),
    isWatched: plan.isWatched ?? false,
  };
  return {
    ...{ ...request, gateways, billings, billingAddresses, payment, deviceDatabaseUrl },
    gatewayUrls: gateways.map((name) => `http://${addressOf(name)}`),
    specOf: (name) => {
      if (gateways.includes(name)) return gatewaySpec(request, name);
      if (billings.includes(name)) return billingSpec(request, name);
      if (name === "upstream") return upstreamSpec(request);
      if (name === "payment" && payment) return paymentSpec(request, payment);
      if (name === "stripeEmulator" && payment?.emulatorUrl) return emulatorSpec(request, payment);
      if (name === "device" && deviceDatabaseUrl) return deviceSpec(request, deviceDatabaseUrl);
      throw new Error(`the stack has no process ${name}`);
    },
  };
}

function portNames(
  services: readonly string[],
  payments: "stripe" | "emulator" | "off",
): readonly string[] {
  const paying = payments === "off" ? [] : ["payment", "paymentOps", "paymentWebhook"];
  const emulated = payments === "emulator" ? ["stripeEmulator"] : [];
  return [...services, ...services.map((name) => `${name}Ops`), "upstream", ...paying, ...emulated];
}

function placePayment(
  { databaseUrl }: { readonly databaseUrl: string },
  ports: ServicePorts,
  payments: "stripe" | "emulator",
): PaymentPlace {
  const webhookUrl = `http://127.0.0.1:${portOf(ports, "paymentWebhook")}`;
  return {
    databaseUrl: process.env.PAYMENT_DATABASE_URL || besideOf(databaseUrl, "payment"),
    webhookUrl,
    publicUrl: process.env.PAYMENT_PUBLIC_URL || webhookUrl,
    emulatorUrl:
      payments === "emulator" ? `http://127.0.0.1:${portOf(ports, "stripeEmulator")}` : undefined,
  };
}

/** A service's own schema, on the server of Billing's: `farebox_payment` beside `farebox`. */
function besideOf(databaseUrl: string, service: "payment" | "device"): string {
  const url = new URL(databaseUrl);
  url.pathname = `${url.pathname}_${service}`;
  return url.toString();
}
