import { openStripeEmulator } from "./open-stripe-emulator.ts";

const { env } = process;
const given = {
  port: Number(env.STRIPE_EMULATOR_PORT || 0),
  ...(env.STRIPE_EMULATOR_SECRET_KEY ? { secretKey: env.STRIPE_EMULATOR_SECRET_KEY } : {}),
  ...(env.STRIPE_EMULATOR_WEBHOOK_URL ? { webhookUrl: env.STRIPE_EMULATOR_WEBHOOK_URL } : {}),
  ...(env.STRIPE_EMULATOR_WEBHOOK_SECRET
    ? { webhookSecret: env.STRIPE_EMULATOR_WEBHOOK_SECRET }
    : {}),
};
const emulator = await openStripeEmulator(given);
console.log(JSON.stringify({ event: "stripe_emulator.serving", url: emulator.url }));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => void emulator[Symbol.asyncDispose]());
}
