import type { ChildProcess } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { logTail } from "./log-tail.ts";
import { writePid } from "./pid-identity.ts";
import { type Command, spawnChild } from "./spawn-child.ts";
import { stopLeftOver, stopPid } from "./stop-pid.ts";

/** A program to keep running, and how to tell that it serves. */
export type ChildSpec = Command & {
  /** Names it in messages and in `dev.json`. */
  readonly name: string;
  /** Names the living program, so that one left over by a killed run is stopped before a new one starts. */
  readonly pidFile: string;
  /** Polled every 25 ms until true; a rejection means not yet. */
  readonly isReady: () => Promise<boolean>;
  readonly readyTimeoutMs: number;
  /** How long SIGTERM may take before SIGKILL. */
  readonly stopTimeoutMs: number;
};

/** Who is told what becomes of a child. */
export type ChildWatcher = {
  readonly log: (line: string) => void;
  /** Called with each new pid, and with undefined when it ends. */
  readonly onPid?: (name: string, pid: number | undefined) => void;
};

/** A program that is kept running until it is stopped. */
export type Child = AsyncDisposable & {
  readonly name: string;
  /** Undefined while it is down. */
  pid(): number | undefined;
  /** Stops it gracefully and returns when its successor is ready; when it is already down, waits for that. */
  restart(): Promise<void>;
  /** Stops it for good; the second call waits for the first. */
  stop(): Promise<void>;
};

// A child that dies on each start is tried for about two minutes.
const restartsMax = 30;
const backOffMs = { first: 100, most: 5_000 };
const stableMs = 10_000;

/**
 * Starts a program, waits until it is ready, and from then on starts it again with back-off whenever it dies.
 *
 * Throws with the end of its log when the first start fails; later failures are logged, and after 30 in a row it is
 * given up.
 */
export async function startChild(spec: ChildSpec, watcher: ChildWatcher): Promise<Child> {
  const stopping = new AbortController();
  let run: Run | undefined;
  let started = Promise.withResolvers<void>();
  const launch = async () => {
    const leftOver = await stopLeftOver(spec.pidFile, spec.stopTimeoutMs);
    if (leftOver !== undefined) watcher.log(`${spec.name}: stopped process ${leftOver} left over`);
    if (stopping.signal.aborted) throw new Error(`${spec.name} is stopping`);
    run = beginRun(spec, watcher);
    // Told only now, when `pid()` answers for the new run: who is told may ask at once.
    const pid = run.pid();
    if (pid !== undefined) watcher.onPid?.(spec.name, pid);
    await awaitReady(spec, run, stopping.signal);
  };
  const keepAlive = async () => {
    for (let failures = 0; failures <= restartsMax; failures++) {
      const startedAtMs = performance.now();
      const exit = await run?.exited;
      if (stopping.signal.aborted) return;
      if (performance.now() - startedAtMs > stableMs) failures = 0;
      const waitMs = Math.min(backOffMs.first * 2 ** failures, backOffMs.most);
      watcher.log(`${spec.name} ended (${exit}); starting it again in ${waitMs} ms`);
      await sleep(waitMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      try {
        await launch();
        started.resolve();
        started = Promise.withResolvers();
      } catch (error) {
        if (stopping.signal.aborted) return;
        watcher.log(String(error));
        await run?.end();
      }
    }
    started.promise.catch(() => undefined);
    started.reject(new Error(`${spec.name} died ${restartsMax} times in a row`));
    watcher.log(`${spec.name} is given up after ${restartsMax} restarts: see ${spec.logFile}`);
  };
  try {
    await launch();
  } catch (error) {
    await run?.end();
    throw error;
  }
  const watching = keepAlive();
  const stop = async () => {
    stopping.abort();
    await run?.end();
    await watching;
  };
  return {
    name: spec.name,
    pid: () => run?.pid(),
    restart: async () => {
      const next = started.promise;
      await run?.end();
      await next;
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** One life of the program. */
type Run = {
  readonly exited: Promise<string>;
  pid(): number | undefined;
  end(): Promise<void>;
};

function beginRun(spec: ChildSpec, watcher: ChildWatcher): Run {
  const child = spawnChild(spec);
  let pid = child.pid;
  if (pid !== undefined) {
    mkdirSync(dirname(spec.pidFile), { recursive: true });
    writeFileSync(spec.pidFile, writePid(pid));
  }
  const exited = exitOf(child).then((exit) => {
    const isTold = pid !== undefined;
    pid = undefined;
    rmSync(spec.pidFile, { force: true });
    if (isTold) watcher.onPid?.(spec.name, undefined);
    return exit;
  });
  return {
    exited,
    pid: () => pid,
    end: async () => {
      if (pid !== undefined) await stopPid(pid, spec.stopTimeoutMs);
      await exited;
    },
  };
}

function exitOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
}

async function awaitReady(spec: ChildSpec, run: Run, stopping: AbortSignal): Promise<void> {
  let ended: string | undefined;
  run.exited.then((exit) => {
    ended = exit;
  });
  const deadlineMs = performance.now() + spec.readyTimeoutMs;
  while (performance.now() < deadlineMs && !stopping.aborted) {
    if (ended !== undefined) break;
    if (await spec.isReady().catch(() => false)) return;
    await sleep(25);
  }
  const why =
    ended === undefined ? `not ready after ${spec.readyTimeoutMs} ms` : `ended (${ended})`;
  throw new Error(`${spec.name} ${why}; the end of ${spec.logFile}:\n${logTail(spec.logFile)}`);
}
