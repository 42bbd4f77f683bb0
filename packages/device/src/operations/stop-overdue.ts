import type { Engine } from "../docker/engine.ts";
import { leaseEndOf } from "../domain/container-name.ts";

/**
 * Stops containers of a node whose term is over by more than `slackMs`, by the node's own clock and the containers' names alone: it
 * needs neither Device nor a database. What is stopped stays for Device to settle and remove.
 * Resolves with the names, and why others could not be stopped: those hold up none, and are tried again.
 */
export async function stopOverdue(
  engine: Pick<Engine, "list" | "stop">,
  of: { readonly nowMs: number; readonly slackMs: number; readonly stopTimeoutMs: number },
): Promise<{ readonly stopped: readonly string[]; readonly failures: readonly unknown[] }> {
  const stopped: string[] = [];
  const failures: unknown[] = [];
  for (const { containerId, name, isRunning } of await engine.list()) {
    const endMs = leaseEndOf(name);
    if (!isRunning || endMs === undefined || of.nowMs < endMs + of.slackMs) continue;
    try {
      await engine.stop(containerId, of.stopTimeoutMs);
      stopped.push(name);
    } catch (error) {
      failures.push(error);
    }
  }
  return { stopped, failures };
}
