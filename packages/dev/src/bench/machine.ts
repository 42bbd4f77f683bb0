import { closeSync, fsyncSync, openSync, rmSync, writeSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { openBooks } from "../conservation/open-books.ts";
import { median } from "./median.ts";

/** What the figures were measured on: without it they mean nothing to anybody else. */
export async function describeMachine(where: {
  /** On the disk that the journal is written to. */
  readonly folder: string;
  readonly databaseUrl: string;
}): Promise<string> {
  const all = cpus();
  const database = await openBooks(where.databaseUrl, async (books) => {
    const rows = await books.rows(
      "SELECT VERSION() AS version, @@innodb_flush_log_at_trx_commit AS durability",
    );
    return `${rows[0]?.version} (innodb_flush_log_at_trx_commit=${rows[0]?.durability})`;
  });
  const fsyncMs = median(fsyncTimes(where.folder)).toFixed(2);
  return [
    `${all.length} cores`,
    all[0]?.model.trim() ?? "unknown CPU",
    `node ${process.version}`,
    database,
    `fsync ${fsyncMs} ms`,
  ].join(", ");
}

function fsyncTimes(folder: string): number[] {
  const file = join(folder, "fsync-probe");
  const fd = openSync(file, "w", 0o600);
  const block = Buffer.alloc(4_096);
  try {
    return Array.from({ length: 50 }, () => {
      writeSync(fd, block);
      const begunMs = performance.now();
      fsyncSync(fd);
      return performance.now() - begunMs;
    });
  } finally {
    closeSync(fd);
    rmSync(file, { force: true });
  }
}
