import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { freePort } from "./free-port.ts";
import { readLivingPid, writePid } from "./pid-identity.ts";

const attemptsMax = 50;

/**
 * The first port at or above `from` that nobody listens on and no other stack of this user has claimed; it is claimed for
 * this process until it ends.
 *
 * Between the choice of a port and a server that listens on it lie seconds in which another stack would choose the same;
 * the claim closes them. The claim of a process that died is taken over. Throws when 50 in a row are taken.
 */
export async function claimPort(from: number): Promise<number> {
  const folder = join(tmpdir(), `farebox-ports-${userInfo().uid}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  let port = from;
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    port = await freePort(port);
    if (claim(join(folder, String(port)))) return port;
    port++;
  }
  throw new Error(`no port to be had from ${from} on`);
}

function claim(file: string): boolean {
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      writeFileSync(file, writePid(process.pid), { flag: "wx" });
      return true;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
      if (isHeld(file)) return false;
      rmSync(file, { force: true });
    }
  }
  return false;
}

function isHeld(file: string): boolean {
  try {
    return readLivingPid(readFileSync(file, "utf8")) !== undefined;
  } catch {
    return false;
  }
}
