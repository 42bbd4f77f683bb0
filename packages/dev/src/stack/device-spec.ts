import type { ChildSpec } from "../child.ts";
import { portOf } from "./service-ports.ts";
import { host, nodeSpec, type SpecsRequest } from "./service-specs.ts";

/** Device, for a schema that has been migrated. What DEVICE_IMAGES does not say is the demo's image alone. */
export function deviceSpec(request: SpecsRequest, databaseUrl: string): ChildSpec {
  const { ports, secrets } = request;
  const opsPort = portOf(ports, "deviceOps");
  return nodeSpec(request, {
    name: "device",
    main: "device/src/main.ts",
    readyUrl: `http://${host}:${opsPort}/readyz`,
    env: {
      DEVICE_HOST: host,
      DEVICE_PORT: String(portOf(ports, "device")),
      DEVICE_OPS_PORT: String(opsPort),
      DEVICE_DATABASE_URL: databaseUrl,
      DEVICE_IMAGES: process.env.DEVICE_IMAGES || "farebox/*",
      BILLING_ADDRESS: request.billingAddress,
      REDIS_URL: request.redisUrl,
      SERVICE_TOKENS: secrets.serviceToken,
      API_KEY_PEPPER: secrets.apiKeyPepper,
      PAGE_TOKEN_SECRET: secrets.pageTokenSecret,
    },
  });
}
