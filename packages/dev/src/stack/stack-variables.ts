import { type EnvTable, text } from "@farebox/kit/env";

/** What `npm start` and `npm test` read themselves; everything else goes to the services as it is set. */
export const stackVariables = {
  home: {
    name: "FAREBOX_HOME",
    parse: text,
    default: ".farebox",
    doc: "Folder of the stack's data, logs and dev.json. Two installations with different homes run side by side.",
  },
  databaseUrl: {
    name: "DATABASE_URL",
    parse: text,
    doc: "A MySQL or MariaDB to use; without it a private MariaDB is started in the home.",
  },
  redisUrl: {
    name: "REDIS_URL",
    parse: text,
    doc: "A Redis to use; without it a private one is started in the home.",
  },
  upstreamPort: {
    name: "DEMO_UPSTREAM_PORT",
    parse: text,
    doc: "Port of the demo upstream; by default 9466 or the next free one.",
  },
  stripeEmulatorPort: {
    name: "STRIPE_EMULATOR_PORT",
    parse: text,
    doc: "Port of the Stripe emulator, which is started unless STRIPE_SECRET_KEY is set; by default 9468 or the next free one.",
  },
} as const satisfies EnvTable;
