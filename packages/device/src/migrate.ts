import { createLogger } from "@farebox/kit/logger";
import { type MigrationsList, migrateSchema } from "@farebox/kit/migrate-schema";
import { Migration20261128000001_device } from "../migrations/Migration20261128000001_device.ts";
import { readMigrateConfig } from "./config.ts";

/** Every migration, oldest first. A new one is added at the end, and none is ever changed once it has been released. */
const migrations: MigrationsList = [
  { name: "Migration20261128000001_device", class: Migration20261128000001_device },
];

/** Brings Device's schema up to date. Resolves with the names of the migrations that it applied. */
export function migrateDevice(databaseUrl: string): Promise<readonly string[]> {
  return migrateSchema(databaseUrl, migrations);
}

if (import.meta.main) {
  const log = createLogger({ name: "device-migrate" });
  try {
    const config = readMigrateConfig();
    const applied = await migrateDevice(config.databaseUrl.reveal());
    log.info({ event: "schema.migrated", applied });
  } catch (err) {
    log.error({ event: "schema.migrate_failed", err });
    process.exitCode = 1;
  }
}
