import { Migration } from "@mikro-orm/migrations";

/**
 * Finds open grants by whether something is left instead of by how much: settlement changes how much of a grant is left all
 * the time, and moved its index entry with it each time.
 */
export class Migration20261126000003_open_grants extends Migration {
  override up(): void {
    this.addSql(
      `ALTER TABLE credit_grant ADD COLUMN is_open TINYINT GENERATED ALWAYS AS (remaining > 0) VIRTUAL,
         DROP KEY credit_grant_open, ADD KEY credit_grant_open (account_id, is_open)`,
    );
  }
}
