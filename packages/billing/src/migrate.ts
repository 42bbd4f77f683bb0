import { createLogger } from "@farebox/kit/logger";
import { type MigrationsList, migrateSchema } from "@farebox/kit/migrate-schema";
import { Migration20261121000001_initial } from "../migrations/Migration20261121000001_initial.ts";
import { Migration20261126000001_account_proof } from "../migrations/Migration20261126000001_account_proof.ts";
import { Migration20261126000002_newest_price } from "../migrations/Migration20261126000002_newest_price.ts";
import { Migration20261126000003_open_grants } from "../migrations/Migration20261126000003_open_grants.ts";
import { Migration20261126000004_recharge } from "../migrations/Migration20261126000004_recharge.ts";
import { Migration20261127000001_devices } from "../migrations/Migration20261127000001_devices.ts";
import { readMigrateConfig } from "./config.ts";

/** Every migration, oldest first. A new one is added at the end, and none is ever changed once it has been released. */
const migrations: MigrationsList = [
  { name: "Migration20261121000001_initial", class: Migration20261121000001_initial },
  { name: "Migration20261126000001_account_proof", class: Migration20261126000001_account_proof },
  { name: "Migration20261126000002_newest_price", class: Migration20261126000002_newest_price },
  { name: "Migration20261126000003_open_grants", class: Migration20261126000003_open_grants },
  { name: "Migration20261126000004_recharge", class: Migration20261126000004_recharge },
  { name: "Migration20261127000001_devices", class: Migration20261127000001_devices },
];

/** Brings Billing's schema up to date. Resolves with the names of the migrations that it applied. */
export function migrate(databaseUrl: string): Promise<readonly string[]> {
  return migrateSchema(databaseUrl, migrations);
}

if (import.meta.main) {
  const log = createLogger({ name: "billing-migrate" });
  try {
    const config = readMigrateConfig();
    const applied = await migrate(config.databaseUrl.reveal());
    log.info({ event: "schema.migrated", applied });
  } catch (err) {
    log.error({ event: "schema.migrate_failed", err });
    process.exitCode = 1;
  }
}
