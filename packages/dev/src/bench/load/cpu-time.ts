import { readFileSync } from "node:fs";

// The kernel's USER_HZ: 100 on every Linux that Node runs on.
const microsPerTick = 10_000;

/** CPU that a process has used since it began, user and system time of all its threads, in microseconds. Linux only. */
export function cpuMicrosOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  // The second field is the program's name in parentheses, which may hold anything; utime and stime are the 14th and 15th.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * microsPerTick;
}
