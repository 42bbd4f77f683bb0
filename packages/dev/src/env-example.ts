import { writeFileSync } from "node:fs";
import { billingVariables } from "@farebox/billing/config";
import { deviceVariables } from "@farebox/device/config";
import { wardenVariables } from "@farebox/device/warden";
import { gatewayVariables } from "@farebox/gateway/config";
import { renderEnvExample } from "@farebox/kit/env";
import { paymentVariables } from "@farebox/payment/config";
import { stackVariables } from "./stack/stack-variables.ts";

/** The file at the root that lists every variable. */
export const envExampleFile = new URL("../../../.env.example", import.meta.url);

/** The text of `.env.example`, from the same tables that the services read their environment with. */
export function envExample(): string {
  const tables = {
    Stack: stackVariables,
    Billing: billingVariables,
    Payment: paymentVariables,
    Device: deviceVariables,
    Warden: wardenVariables,
    Gateway: gatewayVariables,
  };
  return `# Every environment variable, by process. Made by \`npm run gen\`: do not edit.\n\n${renderEnvExample(tables)}`;
}

if (import.meta.main) writeFileSync(envExampleFile, envExample());
