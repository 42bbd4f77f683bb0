import { Migration } from "@mikro-orm/migrations";

const table = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC";
const ascii = (type: string) => `${type} CHARACTER SET ascii COLLATE ascii_bin`;

/** Payments, refunds, disputes, what providers told, and where their books and ours differ. */
export class Migration20261127000001_payment extends Migration {
  override up(): void {
    for (const statement of statements) this.addSql(statement);
  }
}

const statements = [
  // due_time: when the next thing is to be done for it; NULL when nothing is.
  `CREATE TABLE payment (
    id BINARY(16) NOT NULL PRIMARY KEY,
    order_id ${ascii("VARCHAR(64)")} NOT NULL,
    account_id ${ascii("VARCHAR(64)")} NOT NULL,
    state ${ascii("VARCHAR(8)")} NOT NULL,
    amount BIGINT NOT NULL,
    currency_code ${ascii("VARCHAR(3)")} NOT NULL,
    minor BIGINT NOT NULL,
    method ${ascii("VARCHAR(16)")} NOT NULL,
    paid_method ${ascii("VARCHAR(16)")} NOT NULL DEFAULT 'UNSPECIFIED',
    subject VARCHAR(128) NOT NULL,
    client_ip ${ascii("VARCHAR(45)")} NOT NULL,
    return_url ${ascii("VARCHAR(2048)")} NOT NULL,
    expire_time DATETIME(3) NULL,
    session_id ${ascii("VARCHAR(255)")} NULL,
    intent_id ${ascii("VARCHAR(255)")} NULL,
    is_test TINYINT NOT NULL DEFAULT 0,
    payment_url TEXT NOT NULL,
    decline_code ${ascii("VARCHAR(64)")} NOT NULL DEFAULT '',
    arrived BIGINT NULL,
    arrived_currency ${ascii("VARCHAR(3)")} NOT NULL DEFAULT '',
    is_told TINYINT NOT NULL DEFAULT 0,
    attempts INT NOT NULL DEFAULT 0,
    due_time DATETIME(3) NULL,
    paid_time DATETIME(3) NULL,
    create_time DATETIME(3) NOT NULL,
    UNIQUE KEY payment_order (order_id),
    UNIQUE KEY payment_session (session_id),
    UNIQUE KEY payment_intent (intent_id),
    KEY payment_account (account_id, id),
    KEY payment_due (due_time),
    CONSTRAINT payment_terms CHECK (amount > 0 AND minor > 0)
  ) ${table}`,
  `CREATE TABLE refund (
    id BINARY(16) NOT NULL PRIMARY KEY,
    payment_id BINARY(16) NOT NULL,
    account_id ${ascii("VARCHAR(64)")} NOT NULL,
    order_id ${ascii("VARCHAR(64)")} NOT NULL,
    request_id ${ascii("VARCHAR(160)")} NOT NULL,
    amount BIGINT NOT NULL,
    currency_code ${ascii("VARCHAR(3)")} NOT NULL,
    minor BIGINT NOT NULL,
    state ${ascii("VARCHAR(9)")} NOT NULL,
    origin ${ascii("VARCHAR(8)")} NOT NULL,
    told ${ascii("VARCHAR(8)")} NOT NULL,
    provider_refund_id ${ascii("VARCHAR(255)")} NULL,
    failure_reason ${ascii("VARCHAR(64)")} NOT NULL DEFAULT '',
    attempts INT NOT NULL DEFAULT 0,
    due_time DATETIME(3) NULL,
    create_time DATETIME(3) NOT NULL,
    UNIQUE KEY refund_request (payment_id, request_id),
    UNIQUE KEY refund_provider (provider_refund_id),
    KEY refund_account (account_id, id),
    KEY refund_due (due_time),
    CONSTRAINT refund_terms CHECK (amount > 0 AND minor > 0)
  ) ${table}`,
  `CREATE TABLE dispute (
    id ${ascii("VARCHAR(128)")} NOT NULL PRIMARY KEY,
    payment_id BINARY(16) NOT NULL,
    order_id ${ascii("VARCHAR(64)")} NOT NULL,
    amount BIGINT NOT NULL,
    currency_code ${ascii("VARCHAR(3)")} NOT NULL,
    is_withdrawn TINYINT NOT NULL,
    is_reinstated TINYINT NOT NULL,
    told ${ascii("VARCHAR(8)")} NOT NULL,
    create_time DATETIME(3) NOT NULL,
    KEY dispute_payment (payment_id)
  ) ${table}`,
  `CREATE TABLE provider_event (
    provider ${ascii("VARCHAR(16)")} NOT NULL,
    event_id ${ascii("VARCHAR(128)")} NOT NULL,
    sequence BIGINT NOT NULL AUTO_INCREMENT,
    type ${ascii("VARCHAR(64)")} NOT NULL,
    object_id ${ascii("VARCHAR(255)")} NOT NULL,
    api_version ${ascii("VARCHAR(64)")} NOT NULL,
    state ${ascii("VARCHAR(8)")} NOT NULL,
    attempts INT NOT NULL DEFAULT 0,
    reason VARCHAR(255) NOT NULL DEFAULT '',
    due_time DATETIME(3) NULL,
    create_time DATETIME(3) NOT NULL,
    PRIMARY KEY (provider, event_id),
    UNIQUE KEY provider_event_sequence (sequence),
    KEY provider_event_due (due_time),
    KEY provider_event_state (state, sequence)
  ) ${table}`,
  `CREATE TABLE payment_difference (
    id BINARY(16) NOT NULL PRIMARY KEY,
    kind ${ascii("VARCHAR(32)")} NOT NULL,
    object_id ${ascii("VARCHAR(255)")} NOT NULL,
    payment_id BINARY(16) NULL,
    provider_amount BIGINT NOT NULL,
    our_amount BIGINT NOT NULL,
    currency_code ${ascii("VARCHAR(3)")} NOT NULL,
    is_repaired TINYINT NOT NULL,
    create_time DATETIME(3) NOT NULL,
    UNIQUE KEY payment_difference_object (kind, object_id)
  ) ${table}`,
];
