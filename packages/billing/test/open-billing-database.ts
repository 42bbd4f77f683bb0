import { openTestDatabase, type TestDatabase } from "@farebox/kit/testing/mysql";
import { migrate } from "../src/migrate.ts";

/** A migrated schema of its own for one test file. */
export function openBillingDatabase(): Promise<TestDatabase> {
  return openTestDatabase(async (url) => {
    await migrate(url);
  });
}
