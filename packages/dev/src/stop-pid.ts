import { readFileSync, rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { pidIdentity, readLivingPid } from "./pid-identity.ts";

const pollMs = 20;

/** Asks a process to end with SIGTERM and, when it has not after `timeoutMs`, ends it with SIGKILL. Twice is as once. */
export async function stopPid(pid: number, timeoutMs: number): Promise<void> {
  const identity = pidIdentity(pid);
  if (identity === undefined) return;
  signal(pid, "SIGTERM");
  if (await isGone(pid, identity, timeoutMs)) return;
  signal(pid, "SIGKILL");
  // A stopped process ends on SIGKILL as well; only one stuck in the kernel does not, and nothing can end that.
  if (!(await isGone(pid, identity, 10_000))) throw new Error(`process ${pid} survives SIGKILL`);
}

/**
 * Ends what an earlier, killed run left behind: the process named in a pid file, if it still is that process.
 * Returns its pid, or undefined when there was none. Removes the pid file.
 */
export async function stopLeftOver(
  pidFile: string,
  timeoutMs: number,
): Promise<number | undefined> {
  let line: string;
  try {
    line = readFileSync(pidFile, "utf8");
  } catch {
    return undefined;
  }
  const pid = readLivingPid(line);
  if (pid !== undefined) await stopPid(pid, timeoutMs);
  rmSync(pidFile, { force: true });
  return pid;
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It ended between the look and the signal.
  }
}

async function isGone(pid: number, identity: string, timeoutMs: number): Promise<boolean> {
  for (let waitedMs = 0; waitedMs <= timeoutMs; waitedMs += pollMs) {
    if (pidIdentity(pid) !== identity) return true;
    await sleep(pollMs);
  }
  return false;
}
