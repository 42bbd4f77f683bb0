import { execFile } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { MariadbPrograms } from "./find-programs.ts";

const run = promisify(execFile);
const installTimeoutMs = 120_000;

/**
 * Lays out the files of a new database server in `<folder>/data`, unless they are there.
 *
 * They are made aside and moved into place, so that an installation cut short is begun anew and never half used.
 */
export async function installMariadb(programs: MariadbPrograms, folder: string): Promise<string> {
  const target = join(folder, "data");
  if (existsSync(target)) return target;
  const aside = join(folder, "data.new");
  rmSync(aside, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  // Its own, never /tmp: a starting server removes every temporary table it finds, another server's too.
  const temporary = `--tmpdir=${mariadbTemporary(folder)}`;
  const user = process.getuid?.() === 0 ? ["--user=root"] : [];
  if (programs.install === undefined) {
    const args = [
      "--no-defaults",
      "--initialize-insecure",
      `--datadir=${aside}`,
      temporary,
      ...user,
    ];
    await run(programs.server, args, { timeout: installTimeoutMs });
  } else {
    mkdirSync(aside, { mode: 0o700 });
    await run(
      programs.install,
      [
        ...["--no-defaults", `--datadir=${aside}`, temporary, "--skip-test-db"],
        ...["--auth-root-authentication-method=normal", ...user],
      ],
      { timeout: installTimeoutMs },
    );
  }
  renameSync(aside, target);
  return target;
}

/** Makes, unless it is there, and names the folder of a server's temporary files. */
export function mariadbTemporary(folder: string): string {
  const temporary = join(folder, "tmp");
  mkdirSync(temporary, { recursive: true, mode: 0o700 });
  return temporary;
}
