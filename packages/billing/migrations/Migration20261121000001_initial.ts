import { Migration } from "@mikro-orm/migrations";

const table = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC";
const id = (name: string, length = 64) =>
  `${name} VARCHAR(${length}) CHARACTER SET ascii COLLATE ascii_bin NOT NULL`;

/** The first schema of Billing. Hot tables carry the account in every key, and no foreign keys, so that they can be sharded. */
export class Migration20261121000001_initial extends Migration {
  override up(): void {
    for (const statement of [...money, ...usage, ...access, ...catalog]) this.addSql(statement);
  }
}

const money = [
  `CREATE TABLE account (
    ${id("id")} PRIMARY KEY,
    ${id("tenant_id")},
    display_name VARCHAR(200) NOT NULL,
    ${id("currency_code", 3)},
    disconnect_policy VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'PARTIAL',
    create_time DATETIME(3) NOT NULL,
    update_time DATETIME(3) NOT NULL,
    KEY account_tenant (tenant_id, id),
    KEY account_create_time (create_time, id),
    KEY account_update_time (update_time)
  ) ${table}`,
  // The two laws of money are CHECKs: a statement that would break one fails, whoever wrote it.
  `CREATE TABLE balance (
    ${id("account_id")} PRIMARY KEY,
    available BIGINT NOT NULL DEFAULT 0,
    held BIGINT NOT NULL DEFAULT 0,
    spent BIGINT NOT NULL DEFAULT 0,
    credited BIGINT NOT NULL DEFAULT 0,
    receivable BIGINT NOT NULL DEFAULT 0,
    overdraft_limit BIGINT NOT NULL DEFAULT 0,
    open_leases INT NOT NULL DEFAULT 0,
    open_grants INT NOT NULL DEFAULT 0,
    CONSTRAINT balance_terms CHECK (available >= 0 AND held >= 0 AND spent >= 0 AND credited >= 0 AND receivable >= 0
      AND overdraft_limit >= 0 AND open_leases >= 0 AND open_grants >= 0),
    CONSTRAINT balance_conserved CHECK (available + held + spent = credited + receivable),
    CONSTRAINT balance_debt_first CHECK (available = 0 OR receivable = 0)
  ) ${table}`,
  // remaining + used + expired = amount.
  `CREATE TABLE credit_grant (
    ${id("account_id")},
    id BINARY(16) NOT NULL,
    kind VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    priority INT NOT NULL,
    amount BIGINT NOT NULL,
    remaining BIGINT NOT NULL,
    used BIGINT NOT NULL DEFAULT 0,
    expired BIGINT NOT NULL DEFAULT 0,
    expire_time DATETIME(3) NULL,
    create_time DATETIME(3) NOT NULL,
    PRIMARY KEY (account_id, id),
    KEY credit_grant_open (account_id, remaining),
    KEY credit_grant_expiry (expire_time),
    CONSTRAINT credit_grant_terms CHECK (amount > 0 AND remaining >= 0 AND used >= 0 AND expired >= 0
      AND remaining + used + expired = amount)
  ) ${table}`,
  // amount is the signed change of the account's funds: available + held - receivable = credited - spent.
  `CREATE TABLE ledger_entry (
    ${id("account_id")},
    id BINARY(16) NOT NULL,
    kind VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'USAGE',
    ${id("reference", 160)},
    amount BIGINT NOT NULL,
    balance_after BIGINT NOT NULL,
    debit VARCHAR(24) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'customer_funds',
    credit VARCHAR(24) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'usage_revenue',
    create_time DATETIME(3) NOT NULL,
    PRIMARY KEY (account_id, id),
    UNIQUE KEY ledger_entry_once (account_id, kind, reference),
    CONSTRAINT ledger_entry_moves CHECK (amount <> 0 AND debit <> credit)
  ) ${table}`,
  `CREATE TABLE lease (
    ${id("account_id")},
    id BINARY(16) NOT NULL,
    ${id("service")},
    state VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    gateway_id BINARY(16) NULL,
    gateway_epoch BIGINT NOT NULL DEFAULT 0,
    granted BIGINT NOT NULL,
    settled BIGINT NOT NULL DEFAULT 0,
    released BIGINT NOT NULL DEFAULT 0,
    dead_lettered BIGINT NOT NULL DEFAULT 0,
    free_unit VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NULL,
    period_start DATETIME(3) NULL,
    granted_units BIGINT NOT NULL DEFAULT 0,
    settled_units BIGINT NOT NULL DEFAULT 0,
    released_units BIGINT NOT NULL DEFAULT 0,
    last_ask BINARY(16) NULL,
    last_ask_added BIGINT NOT NULL DEFAULT 0,
    last_ask_added_units BIGINT NOT NULL DEFAULT 0,
    valid_for_ms BIGINT NOT NULL,
    expire_time DATETIME(3) NULL,
    suspect_time DATETIME(3) NULL,
    api_key_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
    user_id VARCHAR(128) NOT NULL DEFAULT '',
    create_time DATETIME(3) NOT NULL,
    close_time DATETIME(3) NULL,
    PRIMARY KEY (account_id, id),
    KEY lease_gateway (gateway_id, state, gateway_epoch),
    KEY lease_expiry (state, expire_time),
    CONSTRAINT lease_terms CHECK (granted >= 0 AND settled >= 0 AND released >= 0 AND dead_lettered >= 0
      AND settled + released + dead_lettered <= granted),
    CONSTRAINT lease_units CHECK (granted_units >= 0 AND settled_units >= 0 AND released_units >= 0
      AND settled_units + released_units <= granted_units)
  ) ${table}`,
  // The period's row outlives the period, so that units return to where they came from.
  `CREATE TABLE free_quota_period (
    ${id("account_id")},
    ${id("service")},
    period_start DATETIME(3) NOT NULL,
    period_end DATETIME(3) NULL,
    free_unit VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    units_granted BIGINT NOT NULL,
    units_available BIGINT NOT NULL,
    units_held BIGINT NOT NULL DEFAULT 0,
    units_used BIGINT NOT NULL DEFAULT 0,
    units_written_off BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, service, period_start),
    CONSTRAINT free_quota_period_terms CHECK (units_granted >= 0 AND units_available >= 0 AND units_held >= 0
      AND units_used >= 0 AND units_written_off >= 0
      AND units_available + units_held + units_used = units_granted)
  ) ${table}`,
  `CREATE TABLE gateway_session (
    gateway_id BINARY(16) PRIMARY KEY,
    boot_id BINARY(16) NOT NULL,
    epoch BIGINT NOT NULL,
    renewals BIGINT NOT NULL DEFAULT 0,
    drained_epoch BIGINT NOT NULL DEFAULT 0,
    suspect_epoch BIGINT NOT NULL DEFAULT 0,
    last_seen_time DATETIME(3) NOT NULL
  ) ${table}`,
  // Kept for ever: a money key must live as long as the ledger.
  `CREATE TABLE idempotency_key (
    ${id("account_id")},
    method VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    ${id("request_id", 128)},
    sha256 BINARY(32) NOT NULL,
    result VARBINARY(1024) NOT NULL,
    create_time DATETIME(3) NOT NULL,
    PRIMARY KEY (account_id, method, request_id)
  ) ${table}`,
  `CREATE TABLE client_request (
    ${id("account_id")},
    ${id("request_id", 128)},
    sha256 BINARY(32) NOT NULL,
    state VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    attempt_id BINARY(16) NOT NULL,
    gateway_id BINARY(16) NOT NULL,
    gateway_epoch BIGINT NOT NULL,
    transaction_id BINARY(16) NULL,
    cost BIGINT NOT NULL DEFAULT 0,
    create_time DATETIME(3) NOT NULL,
    PRIMARY KEY (account_id, request_id),
    KEY client_request_gateway (gateway_id, state)
  ) ${table}`,
];

/**
 * The partitions of usage_transaction by day are added and dropped by a job; until it has run, all rows go to pmax.
 * Defaults are what is usual: a batch leaves out the columns that hold nothing else, and reading values is most of what
 * an insert costs.
 */
const attempt = `
    ${id("account_id")},
    id BINARY(16) NOT NULL,
    ${id("request_id", 128)},
    lease_id BINARY(16) NULL,
    attempt INT NOT NULL DEFAULT 1,
    ${id("service")},
    provider VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    model VARCHAR(256) NOT NULL,
    api_key_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
    user_id VARCHAR(128) NOT NULL DEFAULT '',
    tenant_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
    input_tokens BIGINT NOT NULL DEFAULT 0,
    cache_read_tokens BIGINT NOT NULL DEFAULT 0,
    cache_write_tokens BIGINT NOT NULL DEFAULT 0,
    cache_write_1h_tokens BIGINT NOT NULL DEFAULT 0,
    audio_input_tokens BIGINT NOT NULL DEFAULT 0,
    output_tokens BIGINT NOT NULL DEFAULT 0,
    reasoning_tokens BIGINT NOT NULL DEFAULT 0,
    audio_output_tokens BIGINT NOT NULL DEFAULT 0,
    images BIGINT NOT NULL DEFAULT 0,
    requests BIGINT NOT NULL DEFAULT 1,
    usage_source TINYINT NOT NULL DEFAULT 1,
    state TINYINT NOT NULL DEFAULT 1,
    http_status SMALLINT NOT NULL DEFAULT 200,
    error_code INT NOT NULL DEFAULT 0,
    cost BIGINT NOT NULL,
    from_lease BIGINT NOT NULL,
    provider_cost BIGINT NULL,
    free_units BIGINT NOT NULL DEFAULT 0,
    is_late TINYINT NOT NULL DEFAULT 0,
    price_snapshot_id BINARY(16) NULL,
    upstream_id VARCHAR(128) NOT NULL DEFAULT '',
    latency_ms BIGINT NOT NULL DEFAULT 0,
    time_to_first_token_ms BIGINT NULL,
    tags TEXT NULL,
    create_time DATETIME(3) NOT NULL`;

const usage = [
  `CREATE TABLE usage_transaction (${attempt},
    PRIMARY KEY (account_id, id),
    KEY usage_transaction_request (account_id, request_id)
  ) ${table}
  PARTITION BY RANGE COLUMNS (id) (PARTITION pmax VALUES LESS THAN (MAXVALUE))`,
  // Items of a day whose partition is gone. Never dropped.
  `CREATE TABLE usage_late (${attempt},
    PRIMARY KEY (account_id, id),
    KEY usage_late_request (account_id, request_id)
  ) ${table}`,
  // Written in the transaction that settles, so that every total agrees with the rows it sums.
  `CREATE TABLE usage_hourly (
    ${id("account_id")},
    hour DATETIME NOT NULL,
    dimensions BINARY(16) NOT NULL,
    tenant_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
    user_id VARCHAR(128) NOT NULL DEFAULT '',
    api_key_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
    ${id("service")},
    provider VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    model VARCHAR(256) NOT NULL,
    attempts BIGINT NOT NULL,
    failed BIGINT NOT NULL DEFAULT 0,
    cost BIGINT NOT NULL DEFAULT 0,
    free_units BIGINT NOT NULL DEFAULT 0,
    input_tokens BIGINT NOT NULL DEFAULT 0,
    cache_read_tokens BIGINT NOT NULL DEFAULT 0,
    cache_write_tokens BIGINT NOT NULL DEFAULT 0,
    cache_write_1h_tokens BIGINT NOT NULL DEFAULT 0,
    audio_input_tokens BIGINT NOT NULL DEFAULT 0,
    output_tokens BIGINT NOT NULL DEFAULT 0,
    reasoning_tokens BIGINT NOT NULL DEFAULT 0,
    audio_output_tokens BIGINT NOT NULL DEFAULT 0,
    images BIGINT NOT NULL DEFAULT 0,
    requests BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, hour, dimensions),
    KEY usage_hourly_hour (hour)
  ) ${table}`,
  `CREATE TABLE settlement_dead_letter (
    id BINARY(16) PRIMARY KEY,
    ${id("account_id")},
    item_id VARBINARY(64) NOT NULL,
    item MEDIUMBLOB NOT NULL,
    reason INT NOT NULL,
    field VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    lease_id BINARY(16) NULL,
    held BIGINT NOT NULL,
    state VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    create_time DATETIME(3) NOT NULL,
    close_time DATETIME(3) NULL,
    UNIQUE KEY settlement_dead_letter_item (account_id, item_id),
    KEY settlement_dead_letter_state (state, id),
    CONSTRAINT settlement_dead_letter_held CHECK (held >= 0)
  ) ${table}`,
];

const access = [
  `CREATE TABLE api_key (
    id BINARY(16) PRIMARY KEY,
    ${id("account_id")},
    user_id VARCHAR(128) NOT NULL,
    display_name VARCHAR(200) NOT NULL,
    hash BINARY(32) NOT NULL,
    last4 CHAR(4) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    scopes VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    allowed_models TEXT NOT NULL,
    state VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    expire_time DATETIME(3) NULL,
    create_time DATETIME(3) NOT NULL,
    update_time DATETIME(3) NOT NULL,
    revoke_time DATETIME(3) NULL,
    UNIQUE KEY api_key_hash (hash),
    KEY api_key_account (account_id, id),
    KEY api_key_update_time (update_time)
  ) ${table}`,
];

const catalog = [
  `CREATE TABLE price_version (
    id BINARY(16) PRIMARY KEY,
    source VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    provider VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    model VARCHAR(256) NOT NULL,
    effective_from DATETIME(3) NOT NULL,
    content_sha256 BINARY(32) NOT NULL,
    content TEXT NOT NULL,
    create_time DATETIME(3) NOT NULL,
    KEY price_version_model (provider, model, effective_from),
    KEY price_version_create_time (create_time)
  ) ${table}`,
  `CREATE TABLE price_snapshot (
    id BINARY(16) PRIMARY KEY,
    content TEXT NOT NULL,
    create_time DATETIME(3) NOT NULL
  ) ${table}`,
  `CREATE TABLE price_sync (
    source VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin PRIMARY KEY,
    success_time DATETIME(3) NULL,
    error VARCHAR(500) NOT NULL
  ) ${table}`,
  `CREATE TABLE free_quota_rule (
    ${id("service")} PRIMARY KEY,
    period VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    free_unit VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    amount BIGINT NOT NULL,
    update_time DATETIME(3) NOT NULL,
    CONSTRAINT free_quota_rule_amount CHECK (amount >= 0)
  ) ${table}`,
];
