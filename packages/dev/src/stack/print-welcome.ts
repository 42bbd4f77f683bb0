import { formatNanos } from "@farebox/kit/money";
import type { DemoDevice } from "./demo-device.ts";
import type { FirstCall } from "./first-call.ts";
import type { Stack } from "./open-stack.ts";

/** Tells a newcomer what runs, what the first call cost, and how to make the next one. */
export function printWelcome(
  stack: Stack,
  call: FirstCall | { readonly failure: string },
  device: DemoDevice | { readonly failure: string },
): void {
  const { dev } = stack;
  const model = "failure" in call ? "…" : call.model;
  console.log(`
${"failure" in call ? failedCall(call.failure) : chargedCall(call)}

${"failure" in device ? `No device was run: ${device.failure}.` : chargedDevice(device)}

  gateway   ${dev.gatewayUrl}      OpenAI and Anthropic SDKs: base URL ${dev.gatewayUrl}/v1 or ${dev.gatewayUrl}
  billing   ${dev.billingAddress}            gRPC with reflection
${paymentLine(stack)}  device    ${dev.deviceAddress}            gRPC with reflection
  all else  ${stack.home}/dev.json

Make the next one:

  curl ${dev.gatewayUrl}/v1/chat/completions \\
    -H 'authorization: Bearer ${dev.demoApiKey}' -H 'content-type: application/json' \\
    -d '{"model": "${model}", "messages": [{"role": "user", "content": "Hello!"}]}'
${topUp(stack)}
Ctrl-C stops everything that was started here.`);
}

function paymentLine({ dev }: Stack): string {
  if (dev.paymentAddress === undefined) return "";
  const provider = dev.stripeEmulatorUrl === undefined ? "Stripe" : "Stripe emulator, play money";
  return `  payment   ${dev.paymentAddress}            gRPC with reflection (${provider})\n`;
}

function topUp({ dev }: Stack): string {
  if (dev.paymentAddress === undefined) return "";
  return `
Buy credit: open the paymentUrl of the answer${dev.stripeEmulatorUrl ? " and pay with card 4242 4242 4242 4242" : ""}.

  curl ${dev.gatewayUrl}/farebox.billing.v1.BillingService/Recharge \\
    -H 'authorization: Bearer ${dev.demoApiKey}' -H 'content-type: application/json' \\
    -d '{"requestId": "top-up-1", "amount": {"amountNanos": "10000000000", "currencyCode": "USD"}}'
`;
}

function chargedCall(call: FirstCall): string {
  const provider = hasProviderKey() ? "" : " (demo upstream: no key of its provider is set)";
  return `A call was made, answered and charged${provider}.

  model     ${call.model}
  answer    ${shorten(call.answer)}
  cost      ${call.cost} USD
  balance   ${formatNanos(call.availableNanos)} USD

${indent(call.explanation)}`;
}

function chargedDevice({ engine, seconds, cost, explanation }: DemoDevice): string {
  return `A device was allocated on ${engine}, measured for ${seconds} s, released and charged: ${cost} USD.

${indent(explanation)}`;
}

function failedCall(failure: string): string {
  return `Everything is up, but the first call was not charged: ${failure}`;
}

/** Whether the first call's model is a real provider's: a key of Anthropic alone leaves it to the demo upstream. */
function hasProviderKey(): boolean {
  return ["OPENAI_API_KEY", "OPENROUTER_API_KEY", "FAREBOX_UPSTREAMS"].some((name) =>
    Boolean(process.env[name]),
  );
}

function shorten(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > 90 ? `${line.slice(0, 90)}…` : line;
}

function indent(text: string): string {
  return text.replace(/^/gm, "  ");
}
