import { createLogger } from "@farebox/kit/logger";
import { type MigrationsList, migrateSchema } from "@farebox/kit/migrate-schema";
import { Migration20261127000001_payment } from "../migrations/Migration20261127000001_payment.ts";
import { Migration20261127000002_saved_methods } from "../migrations/Migration20261127000002_saved_methods.ts";
import { Migration20261127000003_set_time } from "../migrations/Migration20261127000003_set_time.ts";
import { readMigrateConfig } from "./config.ts";

/** Every migration, oldest first. A new one is added at the end, and none is ever changed once it has been released. */
const migrations: MigrationsList = [
  { name: "Migration20261127000001_payment", class: Migration20261127000001_payment },
  { name: "Migration20261127000002_saved_methods", class: Migration20261127000002_saved_methods },
  { name: "Migration20261127000003_set_time", class: Migration20261127000003_set_time },
];

/** Brings Payment's schema up to date. Resolves with the names of the migrations that it applied. */
export function migratePayment(databaseUrl: string): Promise<readonly string[]> {
  return migrateSchema(databaseUrl, migrations);
}

if (import.meta.main) {
  const log = createLogger({ name: "payment-migrate" });
  try {
    const config = readMigrateConfig();
    const applied = await migratePayment(config.databaseUrl.reveal());
    log.info({ event: "schema.migrated", applied });
  } catch (err) {
    log.error({ event: "schema.migrate_failed", err });
    process.exitCode = 1;
  }
}
