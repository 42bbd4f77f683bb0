import { Migration } from "@mikro-orm/migrations";

const table = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC";
const ascii = (type: string) => `${type} CHARACTER SET ascii COLLATE ascii_bin`;

/** Orders to pay money in, what leaves them again, and room in the ledger for the names of both. */
export class Migration20261126000004_recharge extends Migration {
  override up(): void {
    for (const statement of statements) this.addSql(statement);
  }
}

const statements = [
  // Paid money is credited whole or not at all, and no more than that is ever taken back.
  `CREATE TABLE recharge_order (
    account_id ${ascii("VARCHAR(64)")} NOT NULL,
    id BINARY(16) NOT NULL,
    state ${ascii("VARCHAR(20)")} NOT NULL,
    amount BIGINT NOT NULL,
    currency_code ${ascii("VARCHAR(3)")} NOT NULL,
    method ${ascii("VARCHAR(16)")} NOT NULL,
    payment_method_id ${ascii("VARCHAR(36)")} NOT NULL,
    payment_id ${ascii("VARCHAR(64)")} NULL,
    credited BIGINT NOT NULL DEFAULT 0,
    reversed BIGINT NOT NULL DEFAULT 0,
    reserved BIGINT NOT NULL DEFAULT 0,
    payment_url TEXT NOT NULL,
    return_url ${ascii("VARCHAR(2048)")} NOT NULL,
    client_ip ${ascii("VARCHAR(45)")} NOT NULL,
    expire_time DATETIME(3) NOT NULL,
    credit_time DATETIME(3) NULL,
    create_time DATETIME(3) NOT NULL,
    PRIMARY KEY (account_id, id),
    UNIQUE KEY recharge_order_id (id),
    UNIQUE KEY recharge_order_payment (payment_id),
    KEY recharge_order_expiry (state, expire_time),
    CONSTRAINT recharge_order_terms CHECK (amount > 0 AND (credited = 0 OR credited = amount)
      AND reversed >= 0 AND reserved >= 0 AND reversed + reserved <= credited)
  ) ${table}`,
  `CREATE TABLE recharge_reversal (
    account_id ${ascii("VARCHAR(64)")} NOT NULL,
    order_id BINARY(16) NOT NULL,
    reversal_id ${ascii("VARCHAR(128)")} NOT NULL,
    kind ${ascii("VARCHAR(8)")} NOT NULL,
    state ${ascii("VARCHAR(12)")} NOT NULL,
    asked BIGINT NOT NULL,
    amount BIGINT NOT NULL,
    create_time DATETIME(3) NOT NULL,
    update_time DATETIME(3) NOT NULL,
    PRIMARY KEY (account_id, order_id, reversal_id),
    CONSTRAINT recharge_reversal_terms CHECK (asked > 0 AND amount >= 0 AND amount <= asked)
  ) ${table}`,
  // A reversal's reference is 32 digits of its order, a stroke, and up to 128 characters of its own.
  `ALTER TABLE ledger_entry
    MODIFY COLUMN kind ${ascii("VARCHAR(24)")} NOT NULL DEFAULT 'USAGE',
    MODIFY COLUMN reference ${ascii("VARCHAR(192)")} NOT NULL`,
];
