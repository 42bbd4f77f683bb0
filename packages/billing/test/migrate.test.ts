import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openTestDatabase } from "@farebox/kit/testing/mysql";
import type { RowDataPacket } from "mysql2/promise";
import { migrate } from "../src/migrate.ts";

describe("migrate", () => {
  it("builds an empty schema once, however many processes do it at once, and then does nothing", async () => {
    await using database = await openTestDatabase();
    const applied = await Promise.all([1, 2, 3].map(() => migrate(database.url)));
    assert.equal(applied.flat().length, applied.find((names) => names.length > 0)?.length);
    const before = await schemaOf(database.pool);
    assert.ok(before.includes("usage_transaction"));
    assert.deepEqual(await migrate(database.url), []);
    assert.deepEqual(await schemaOf(database.pool), before);
  });

  it("makes the schema when it does not exist", async () => {
    await using database = await openTestDatabase();
    const url = new URL(database.url);
    url.pathname += "_new";
    try {
      assert.ok((await migrate(url.href)).length > 0);
    } finally {
      await database.pool.query("DROP DATABASE ??", [url.pathname.slice(1)]);
    }
  });

  it("refuses a URL without a schema", async () => {
    await using database = await openTestDatabase();
    const url = new URL(database.url);
    url.pathname = "/";
    await assert.rejects(migrate(url.href), /names no schema/);
  });
});

async function schemaOf(pool: Awaited<ReturnType<typeof openTestDatabase>>["pool"]) {
  const [rows] = await pool.query<RowDataPacket[]>(
    `SELECT CONCAT(table_name, ' ', GROUP_CONCAT(column_name, ' ', column_type ORDER BY ordinal_position)) AS spelled
      FROM information_schema.columns WHERE table_schema = DATABASE() GROUP BY table_name ORDER BY table_name`,
  );
  return rows.map((row) => String(row.spelled)).join("\n");
}
