import { setTimeout as sleep } from "node:timers/promises";

/** Something that runs and is started again when it dies. */
export type Victim = {
  pid(): number | undefined;
  /** When it is down: waits for its successor. */
  restart(): Promise<void>;
};

/** Kills it with SIGKILL; returns when its successor is ready. */
export async function killHard(victim: Victim): Promise<void> {
  process.kill(livingPid(victim), "SIGKILL");
  await victim.restart();
}

/** Kills it with SIGKILL for good: nothing starts it again. */
export async function killForGood(victim: Victim & { stop(): Promise<void> }): Promise<void> {
  process.kill(livingPid(victim), "SIGKILL");
  // Stopped at once, or its supervisor would start it again.
  await victim.stop();
}

/** Stops it with SIGSTOP while `meanwhile` runs, and for at least so long, then lets it go on. */
export async function freeze(
  victim: Victim,
  atLeastMs: number,
  meanwhile: () => Promise<void> = async () => undefined,
): Promise<void> {
  const pid = livingPid(victim);
  process.kill(pid, "SIGSTOP");
  try {
    // The length of the sleep is the fault itself; nothing is asserted about it.
    await Promise.all([sleep(atLeastMs), meanwhile()]);
  } finally {
    process.kill(pid, "SIGCONT");
  }
}

function livingPid(victim: Victim): number {
  const pid = victim.pid();
  if (pid === undefined) throw new Error("it does not run");
  return pid;
}
