import { Migration } from "@mikro-orm/migrations";

const table = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC";

/** When each account was last proved to the last row: leases that ended before that may be forgotten. */
export class Migration20261126000001_account_proof extends Migration {
  override up(): void {
    this.addSql(`CREATE TABLE account_proof (
      account_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
      proved_time DATETIME(3) NOT NULL
    ) ${table}`);
  }
}
