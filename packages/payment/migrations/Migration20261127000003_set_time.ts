import { Migration } from "@mikro-orm/migrations";

/** When a setting was made, and for which customer a page was opened. */
export class Migration20261127000003_set_time extends Migration {
  override up(): void {
    for (const statement of statements) this.addSql(statement);
  }
}

const statements = [
  // What was tried before this does not count against the setting.
  `ALTER TABLE auto_recharge ADD COLUMN set_time DATETIME(3) NOT NULL DEFAULT '1970-01-01 00:00:01' AFTER disabled_reason`,
  // Written once, before the page is first asked for: a repetition under its key must name the same customer.
  `ALTER TABLE method_setup ADD COLUMN provider_customer_id VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NULL AFTER return_url`,
];
