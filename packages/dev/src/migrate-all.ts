import { readMigrateConfig as readBillingConfig } from "@farebox/billing/config";
import { migrate } from "@farebox/billing/migrate";
import { readMigrateConfig as readDeviceConfig } from "@farebox/device/config";
import { migrateDevice } from "@farebox/device/migrate";
import { createLogger } from "@farebox/kit/logger";
import { readMigrateConfig as readPaymentConfig } from "@farebox/payment/config";
import { migratePayment } from "@farebox/payment/migrate";

// npm run migrate: brings the schemas up to date whose database is named, Billing's by DATABASE_URL, Payment's by
// PAYMENT_DATABASE_URL, Device's by DEVICE_DATABASE_URL. Billing's is needed.
const log = createLogger({ name: "migrate" });
try {
  const billing = await migrate(readBillingConfig().databaseUrl.reveal());
  log.info({ event: "schema.migrated", schema: "billing", applied: billing });
  if (process.env.PAYMENT_DATABASE_URL) {
    const payment = await migratePayment(readPaymentConfig().databaseUrl.reveal());
    log.info({ event: "schema.migrated", schema: "payment", applied: payment });
  }
  if (process.env.DEVICE_DATABASE_URL) {
    const device = await migrateDevice(readDeviceConfig().databaseUrl.reveal());
    log.info({ event: "schema.migrated", schema: "device", applied: device });
  }
} catch (err) {
  log.error({ event: "schema.migrate_failed", err });
  process.exitCode = 1;
}
