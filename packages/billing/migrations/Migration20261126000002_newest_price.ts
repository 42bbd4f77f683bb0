import { Migration } from "@mikro-orm/migrations";

/** Finds the newest version of every model of a source without reading the older ones. */
export class Migration20261126000002_newest_price extends Migration {
  override up(): void {
    this.addSql(
      "ALTER TABLE price_version ADD KEY price_version_newest (source, provider, model, create_time)",
    );
  }
}
