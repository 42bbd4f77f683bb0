import { Migration } from "@mikro-orm/migrations";

const table = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC";
const ascii = (type: string) => `${type} CHARACTER SET ascii COLLATE ascii_bin`;

/** Saved methods, automatic recharges, and transfers that people confirm. */
export class Migration20261127000002_saved_methods extends Migration {
  override up(): void {
    for (const statement of statements) this.addSql(statement);
  }
}

const statements = [
  // look_time: when its payer's page last asked the provider.
  `ALTER TABLE payment
    ADD COLUMN provider ${ascii("VARCHAR(16)")} NOT NULL DEFAULT 'stripe' AFTER id,
    ADD COLUMN payment_method_id BINARY(16) NULL AFTER method,
    ADD COLUMN payment_code ${ascii("VARCHAR(32)")} NULL AFTER payment_url,
    ADD COLUMN look_time DATETIME(3) NULL AFTER due_time,
    ADD UNIQUE KEY payment_code (payment_code)`,
  // Who pays, at the provider: one for an account and mode. The row is the lock of the account's saved methods.
  `CREATE TABLE customer (
    account_id ${ascii("VARCHAR(64)")} NOT NULL,
    is_test TINYINT NOT NULL,
    id BINARY(16) NOT NULL,
    provider_customer_id ${ascii("VARCHAR(255)")} NULL,
    default_method_id BINARY(16) NULL,
    create_time DATETIME(3) NOT NULL,
    PRIMARY KEY (account_id, is_test),
    UNIQUE KEY customer_id (id),
    UNIQUE KEY customer_provider (provider_customer_id)
  ) ${table}`,
  `CREATE TABLE method_setup (
    id BINARY(16) NOT NULL PRIMARY KEY,
    account_id ${ascii("VARCHAR(64)")} NOT NULL,
    is_test TINYINT NOT NULL,
    request_id ${ascii("VARCHAR(160)")} NOT NULL,
    kind ${ascii("VARCHAR(16)")} NOT NULL,
    return_url ${ascii("VARCHAR(2048)")} NOT NULL,
    state ${ascii("VARCHAR(8)")} NOT NULL,
    session_id ${ascii("VARCHAR(255)")} NULL,
    setup_url TEXT NOT NULL,
    attempts INT NOT NULL DEFAULT 0,
    due_time DATETIME(3) NULL,
    look_time DATETIME(3) NULL,
    create_time DATETIME(3) NOT NULL,
    UNIQUE KEY method_setup_request (account_id, request_id),
    UNIQUE KEY method_setup_session (session_id),
    KEY method_setup_due (due_time)
  ) ${table}`,
  `CREATE TABLE payment_method (
    id BINARY(16) NOT NULL PRIMARY KEY,
    account_id ${ascii("VARCHAR(64)")} NOT NULL,
    is_test TINYINT NOT NULL,
    kind ${ascii("VARCHAR(16)")} NOT NULL,
    brand ${ascii("VARCHAR(32)")} NOT NULL,
    last4 ${ascii("VARCHAR(4)")} NOT NULL,
    expire_month TINYINT NOT NULL,
    expire_year SMALLINT NOT NULL,
    provider_customer_id ${ascii("VARCHAR(255)")} NOT NULL,
    provider_method_id ${ascii("VARCHAR(255)")} NOT NULL,
    state ${ascii("VARCHAR(8)")} NOT NULL,
    attempts INT NOT NULL DEFAULT 0,
    due_time DATETIME(3) NULL,
    create_time DATETIME(3) NOT NULL,
    UNIQUE KEY payment_method_provider (provider_method_id),
    KEY payment_method_account (account_id, is_test, state, id),
    KEY payment_method_customer (provider_customer_id),
    KEY payment_method_due (due_time)
  ) ${table}`,
  // One transfer pays for one payment: the bank's reference is unique.
  `CREATE TABLE transfer (
    payment_id BINARY(16) NOT NULL PRIMARY KEY,
    amount BIGINT NOT NULL,
    bank_reference VARCHAR(128) NOT NULL,
    proposed_by VARCHAR(128) NOT NULL,
    propose_time DATETIME(3) NOT NULL,
    approved_by VARCHAR(128) NULL,
    approve_time DATETIME(3) NULL,
    UNIQUE KEY transfer_reference (bank_reference),
    CONSTRAINT transfer_terms CHECK (amount > 0 AND (approved_by IS NULL OR approved_by <> proposed_by))
  ) ${table}`,
  // check_time: when the balance is to be looked at; NULL while it is switched off.
  `CREATE TABLE auto_recharge (
    account_id ${ascii("VARCHAR(64)")} NOT NULL PRIMARY KEY,
    is_enabled TINYINT NOT NULL,
    currency_code ${ascii("VARCHAR(3)")} NOT NULL,
    threshold BIGINT NOT NULL,
    amount BIGINT NOT NULL,
    payment_method_id BINARY(16) NULL,
    limit_per_month BIGINT NULL,
    attempts_per_day INT NOT NULL,
    failed_attempts INT NOT NULL DEFAULT 0,
    next_attempt_time DATETIME(3) NULL,
    disabled_reason ${ascii("VARCHAR(64)")} NOT NULL DEFAULT '',
    check_time DATETIME(3) NULL,
    KEY auto_recharge_check (check_time)
  ) ${table}`,
  // is_open is 1 or NULL, so that an account has one at a time.
  `CREATE TABLE auto_recharge_attempt (
    id BINARY(16) NOT NULL PRIMARY KEY,
    account_id ${ascii("VARCHAR(64)")} NOT NULL,
    currency_code ${ascii("VARCHAR(3)")} NOT NULL,
    amount BIGINT NOT NULL,
    payment_method_id BINARY(16) NOT NULL,
    state ${ascii("VARCHAR(8)")} NOT NULL,
    is_open TINYINT NULL,
    reason ${ascii("VARCHAR(64)")} NOT NULL DEFAULT '',
    attempts INT NOT NULL DEFAULT 0,
    due_time DATETIME(3) NULL,
    create_time DATETIME(3) NOT NULL,
    UNIQUE KEY auto_recharge_attempt_open (account_id, is_open),
    KEY auto_recharge_attempt_account (account_id, create_time),
    KEY auto_recharge_attempt_due (due_time)
  ) ${table}`,
];
