import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readLivingPid, writePid } from "./pid-identity.ts";

/**
 * Makes this process the only one that uses a Farebox home; disposing it gives the home up.
 *
 * The lock of a process that died is taken over. Throws, naming the other process, while that one lives.
 */
export function lockHome(home: string): Disposable {
  mkdirSync(home, { recursive: true });
  const file = join(home, "lock");
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      writeFileSync(file, writePid(process.pid), { flag: "wx" });
      return { [Symbol.dispose]: () => rmSync(file, { force: true }) };
    } catch (error) {
      if (!isTaken(error)) throw error;
      const owner = readLivingPid(readFileSync(file, "utf8"));
      if (owner !== undefined) {
        throw new Error(
          `${home} is in use by process ${owner}: stop it, or choose another home with FAREBOX_HOME`,
        );
      }
      rmSync(file, { force: true });
    }
  }
  throw new Error(`${file} cannot be taken: several processes are starting at once`);
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EEXIST";
}
