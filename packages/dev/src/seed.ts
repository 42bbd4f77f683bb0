import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { seed } from "./seed/seed.ts";

// npm run seed: tells the named stories to the stack that runs in this home.
const home = resolve(process.env.FAREBOX_HOME || ".farebox");
const dev = JSON.parse(readFileSync(join(home, "dev.json"), "utf8"));
const seeded = await seed({
  billingAddress: dev.billingAddress,
  serviceToken: dev.serviceToken,
  keptIn: join(home, "seed.json"),
});
for (const [story, account] of Object.entries(seeded)) console.log(story, account.accountId);
