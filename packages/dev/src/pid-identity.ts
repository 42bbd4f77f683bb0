import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

/**
 * What tells a living operating-system process from a later one with the same pid: its start time.
 * Undefined when no such process lives (a zombie does not). Compare for equality only.
 */
export function pidIdentity(pid: number): string | undefined {
  if (!existsSync("/proc/self/stat")) return identityFromPs(pid);
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is the command in brackets and may hold spaces: count from the last bracket.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (fields[0] === "Z" || fields[0] === "X") return undefined;
    return `${fields[19]}@${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()}`;
  } catch {
    return undefined;
  }
}

function identityFromPs(pid: number): string | undefined {
  try {
    const started = execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { timeout: 5_000 });
    return started.toString().trim() || undefined;
  } catch {
    return undefined;
  }
}

/** A pid with its identity as one line, for a pid file or a lock file. */
export function writePid(pid: number): string {
  return `${pid} ${pidIdentity(pid) ?? "gone"}\n`;
}

/** The pid in a line of `writePid`, if that very process still lives. */
export function readLivingPid(line: string): number | undefined {
  const [pid, ...identity] = line.trim().split(" ");
  if (pid === undefined || !/^[1-9][0-9]*$/.test(pid)) return undefined;
  return pidIdentity(Number(pid)) === identity.join(" ") ? Number(pid) : undefined;
}
