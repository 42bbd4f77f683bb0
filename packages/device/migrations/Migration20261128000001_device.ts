import { Migration } from "@mikro-orm/migrations";

const table = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC";
const ascii = (type: string) => `${type} CHARACTER SET ascii COLLATE ascii_bin`;

/** Nodes, allocations, what their containers were seen to use, what Billing is told, and events on their way out. */
export class Migration20261128000001_device extends Migration {
  override up(): void {
    for (const statement of statements) this.addSql(statement);
  }
}

const statements = [
  // Names this installation on containers, so that another one's on the same engine are left alone.
  `CREATE TABLE installation (
    one TINYINT NOT NULL PRIMARY KEY DEFAULT 1,
    id BINARY(16) NOT NULL
  ) ${table}`,
  `INSERT INTO installation (one, id) VALUES (1, UNHEX(REPLACE(UUID(), '-', '')))`,
  `CREATE TABLE node (
    id BINARY(16) NOT NULL PRIMARY KEY,
    display_name ${ascii("VARCHAR(64)")} NOT NULL,
    engine_url ${ascii("VARCHAR(255)")} NOT NULL,
    is_draining TINYINT NOT NULL DEFAULT 0,
    labels TEXT NOT NULL,
    cpu_millis INT NOT NULL,
    memory_mb INT NOT NULL,
    storage_mb INT NOT NULL,
    measures_cpu TINYINT NOT NULL,
    measures_memory TINYINT NOT NULL,
    measures_network TINYINT NOT NULL,
    engine_version VARCHAR(64) NOT NULL,
    heartbeat_time DATETIME(3) NULL,
    collector_id ${ascii("VARCHAR(64)")} NOT NULL DEFAULT '',
    collector_until DATETIME(3) NULL,
    create_time DATETIME(3) NOT NULL,
    UNIQUE KEY node_name (display_name),
    UNIQUE KEY node_engine (engine_url)
  ) ${table}`,
  // due_time: when something is next to be done for it; NULL when nothing is, or when another job looks after its state.
  `CREATE TABLE allocation (
    id BINARY(16) NOT NULL PRIMARY KEY,
    account_id ${ascii("VARCHAR(64)")} NOT NULL,
    request_id ${ascii("VARCHAR(128)")} NOT NULL,
    content_sha256 ${ascii("CHAR(64)")} NOT NULL,
    ask MEDIUMTEXT NOT NULL,
    state ${ascii("VARCHAR(9)")} NOT NULL,
    end_reason ${ascii("VARCHAR(16)")} NULL,
    end_note VARCHAR(255) NOT NULL DEFAULT '',
    node_id BINARY(16) NULL,
    container_id ${ascii("VARCHAR(64)")} NOT NULL DEFAULT '',
    cpu_millis INT NOT NULL,
    memory_mb INT NOT NULL,
    storage_mb INT NOT NULL,
    priority INT NOT NULL,
    book_time DATETIME(3) NULL,
    place_time DATETIME(3) NULL,
    queue_until DATETIME(3) NULL,
    start_time DATETIME(3) NULL,
    lease_end_time DATETIME(3) NULL,
    seen_time DATETIME(3) NULL,
    end_time DATETIME(3) NULL,
    term_ms BIGINT NOT NULL,
    cpu_mode ${ascii("VARCHAR(8)")} NOT NULL,
    memory_mode ${ascii("VARCHAR(8)")} NOT NULL,
    is_traffic_sold TINYINT NOT NULL DEFAULT 0,
    hold_state ${ascii("VARCHAR(9)")} NOT NULL DEFAULT 'NONE',
    lease_id ${ascii("VARCHAR(36)")} NOT NULL DEFAULT '',
    hold BIGINT NOT NULL DEFAULT 0,
    currency_code ${ascii("VARCHAR(3)")} NOT NULL DEFAULT '',
    rate_card TEXT NOT NULL,
    reported_time DATETIME(3) NULL,
    reported_cpu DECIMAL(40,0) NOT NULL DEFAULT 0,
    reported_memory DECIMAL(40,0) NOT NULL DEFAULT 0,
    reported_storage DECIMAL(40,0) NOT NULL DEFAULT 0,
    reported_network DECIMAL(40,0) NOT NULL DEFAULT 0,
    stop_time DATETIME(3) NULL,
    is_money_warned TINYINT NOT NULL DEFAULT 0,
    is_term_warned TINYINT NOT NULL DEFAULT 0,
    money_asks INT NOT NULL DEFAULT 0,
    money_ask BIGINT NULL,
    money_ask_rest_ms BIGINT NULL,
    due_time DATETIME(3) NULL,
    create_time DATETIME(3) NOT NULL,
    UNIQUE KEY allocation_request (account_id, request_id),
    KEY allocation_account (account_id, state),
    KEY allocation_due (due_time),
    KEY allocation_node (node_id, state),
    KEY allocation_state (state, priority),
    KEY allocation_ended (state, end_time)
  ) ${table}`,
  // A row a thing that is counted before it is added to: whoever adds locks it first.
  `CREATE TABLE gate (
    name ${ascii("VARCHAR(72)")} NOT NULL PRIMARY KEY
  ) ${table}`,
  `CREATE TABLE extension (
    allocation_id BINARY(16) NOT NULL,
    request_id ${ascii("VARCHAR(64)")} NOT NULL,
    added_ms BIGINT NOT NULL,
    rest_ms BIGINT NOT NULL,
    is_applied TINYINT NOT NULL DEFAULT 0,
    create_time DATETIME(3) NOT NULL,
    PRIMARY KEY (allocation_id, request_id)
  ) ${table}`,
  // started_at is the engine's own spelling: two starts never share it.
  `CREATE TABLE epoch (
    allocation_id BINARY(16) NOT NULL,
    started_at ${ascii("VARCHAR(40)")} NOT NULL,
    cpu_nanoseconds DECIMAL(40,0) NOT NULL DEFAULT 0,
    sent_bytes DECIMAL(40,0) NOT NULL DEFAULT 0,
    received_bytes DECIMAL(40,0) NOT NULL DEFAULT 0,
    read_bytes DECIMAL(40,0) NOT NULL DEFAULT 0,
    written_bytes DECIMAL(40,0) NOT NULL DEFAULT 0,
    memory_byte_ms DECIMAL(40,0) NOT NULL DEFAULT 0,
    unknown_ms BIGINT NOT NULL DEFAULT 0,
    sample_count BIGINT NOT NULL DEFAULT 0,
    first_read_ms BIGINT NULL,
    last_read_ms BIGINT NULL,
    last_memory_bytes BIGINT NULL,
    PRIMARY KEY (allocation_id, started_at)
  ) ${table}`,
  // What Billing is to be told, in the order of ids within an allocation. REPORT charges a period, RELEASE closes a lease of
  // which nothing was used, UNDO finds out whether a hold came about whose answer was lost, and closes it.
  `CREATE TABLE usage_window (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    allocation_id BINARY(16) NOT NULL,
    account_id ${ascii("VARCHAR(64)")} NOT NULL,
    kind ${ascii("VARCHAR(7)")} NOT NULL,
    period_start DATETIME(3) NOT NULL,
    period_end DATETIME(3) NOT NULL,
    quantities TEXT NOT NULL,
    is_last TINYINT NOT NULL,
    state ${ascii("VARCHAR(9)")} NOT NULL DEFAULT 'PENDING',
    attempts INT NOT NULL DEFAULT 0,
    error ${ascii("VARCHAR(64)")} NOT NULL DEFAULT '',
    charged BIGINT NULL,
    due_time DATETIME(3) NULL,
    create_time DATETIME(3) NOT NULL,
    UNIQUE KEY usage_period (allocation_id, kind, period_start),
    KEY usage_due (state, due_time),
    KEY usage_allocation (allocation_id, state, id)
  ) ${table}`,
  `CREATE TABLE event_outbox (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    event_id BINARY(16) NOT NULL,
    type ${ascii("VARCHAR(64)")} NOT NULL,
    account_id ${ascii("VARCHAR(64)")} NOT NULL,
    subject_id ${ascii("VARCHAR(64)")} NOT NULL,
    payload TEXT NOT NULL,
    create_time DATETIME(3) NOT NULL
  ) ${table}`,
];
