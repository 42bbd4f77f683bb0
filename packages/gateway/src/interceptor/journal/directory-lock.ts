import { randomBytes } from "node:crypto";
import { link, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleepFor } from "node:timers/promises";
import { readIfThere } from "./gateway-id.ts";
import { JournalError } from "./journal-error.ts";

/** A directory that no other process writes to until it is released. */
export type DirectoryLock = { release(): Promise<void> };

/**
 * Takes a directory for this process. A second live process is refused with LOCKED; the lock of a process that is gone, or
 * whose number another process has since been given, is taken over, so that `kill -9` needs no tidying.
 *
 * The lock is a file made by link(2), which only one process can win. Works within one machine's process numbers: two
 * containers must not share a journal's directory.
 */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const path = join(directory, "lock");
  const token = `${process.pid} ${await startTimeOf(process.pid)} ${randomBytes(8).toString("hex")}`;
  const draft = `${path}.${randomBytes(8).toString("hex")}`;
  await writeFile(draft, token);
  try {
    for (let tries = 0; tries < triesMax; tries++) {
      if (await takeFree(draft, path)) {
        await confirm(path, token);
        return { release: () => releaseOwn(path, token) };
      }
      await removeStale(path);
    }
  } finally {
    await rm(draft, { force: true });
  }
  throw locked(path, await readIfThere(path));
}

async function takeFree(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

/** Removes the lock of a process that is gone; throws LOCKED when its owner lives. */
async function removeStale(path: string): Promise<void> {
  const held = await readIfThere(path);
  if (held === undefined) return;
  if (await isAlive(held)) throw locked(path, held);
  // Renamed away, then looked at: of two that judged the same lock stale only one can have moved that very file.
  const moved = `${path}.${randomBytes(8).toString("hex")}`;
  try {
    await rename(path, moved);
  } catch {
    return;
  }
  if ((await readIfThere(moved)) !== held) await takeFree(moved, path);
  await rm(moved, { force: true });
}

/** Looks again after a moment: someone who judged an older lock stale may just have moved ours. */
async function confirm(path: string, token: string): Promise<void> {
  await sleepFor(confirmMs);
  const held = await readIfThere(path);
  if (held !== token) throw locked(path, held);
}

async function releaseOwn(path: string, token: string): Promise<void> {
  if ((await readIfThere(path)) === token) await rm(path, { force: true });
}

async function isAlive(token: string): Promise<boolean> {
  const [pidText = "", startTime = ""] = token.split(" ");
  const pid = Number(pidText);
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EPERM")) return false;
  }
  const now = await startTimeOf(pid);
  return now === "" || startTime === "" || now === startTime;
}

/** When a process started, in the kernel's ticks; empty where /proc does not say. */
async function startTimeOf(pid: number): Promise<string> {
  const stat = await readIfThere(`/proc/${pid}/stat`).catch(() => undefined);
  // The second field is the program's name in parentheses and may hold spaces.
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (fields?.[0] === "Z") return "exited";
  return fields?.[startTimeField] ?? "";
}

function locked(path: string, token: string | undefined): JournalError {
  const pid = token?.split(" ")[0] ?? "another process";
  return new JournalError(
    "LOCKED",
    `${path}: the journal is held by process ${pid}. Give each gateway a directory of its own.`,
  );
}

const triesMax = 5;
const confirmMs = 20;
const startTimeField = 19;
