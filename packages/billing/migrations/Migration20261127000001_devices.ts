import { Migration } from "@mikro-orm/migrations";

const table = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC";
const ascii = (type: string) => `${type} CHARACTER SET ascii COLLATE ascii_bin`;

/** What devices cost, and what was charged for them. */
export class Migration20261127000001_devices extends Migration {
  override up(): void {
    for (const statement of statements) this.addSql(statement);
  }
}

const statements = [
  // content: the rates as SetDeviceRates states them.
  `CREATE TABLE device_rates (
    id BINARY(16) NOT NULL PRIMARY KEY,
    effective_time DATETIME(3) NOT NULL,
    content ${ascii("TEXT")} NOT NULL,
    create_time DATETIME(3) NOT NULL,
    KEY device_rates_effective (effective_time, id)
  ) ${table}`,
  // Named by its content: the first 16 bytes of its SHA-256. Never changed, never deleted.
  `CREATE TABLE device_rate_card (
    id BINARY(16) NOT NULL PRIMARY KEY,
    content ${ascii("TEXT")} NOT NULL,
    create_time DATETIME(3) NOT NULL
  ) ${table}`,
  // One of an allocation, and its lock: whose it is, and what its last charge left over, in parts of the card's denominator.
  `CREATE TABLE device_meter (
    allocation_id ${ascii("VARCHAR(64)")} NOT NULL PRIMARY KEY,
    account_id ${ascii("VARCHAR(64)")} NOT NULL,
    rate_card_id BINARY(16) NULL,
    carry ${ascii("VARCHAR(255)")} NOT NULL DEFAULT '0'
  ) ${table}`,
  // id is the transaction's. What was counted has up to 30 digits.
  `CREATE TABLE device_charge (
    allocation_id ${ascii("VARCHAR(64)")} NOT NULL,
    period_start DATETIME(3) NOT NULL,
    period_end DATETIME(3) NOT NULL,
    id BINARY(16) NOT NULL,
    account_id ${ascii("VARCHAR(64)")} NOT NULL,
    request_id ${ascii("VARCHAR(128)")} NOT NULL,
    sha256 BINARY(32) NOT NULL,
    device_id ${ascii("VARCHAR(64)")} NOT NULL,
    user_id VARCHAR(128) NOT NULL,
    quantities ${ascii("TEXT")} NOT NULL,
    rate_card_id BINARY(16) NOT NULL,
    charged BIGINT NOT NULL,
    carried_in ${ascii("VARCHAR(255)")} NOT NULL,
    carried_out ${ascii("VARCHAR(255)")} NOT NULL,
    create_time DATETIME(3) NOT NULL,
    PRIMARY KEY (allocation_id, period_start),
    UNIQUE KEY device_charge_id (id),
    UNIQUE KEY device_charge_request (account_id, request_id),
    KEY device_charge_account (account_id, id),
    CONSTRAINT device_charge_terms CHECK (charged >= 0 AND period_end > period_start)
  ) ${table}`,
];
