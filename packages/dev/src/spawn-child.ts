import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, renameSync, statSync } from "node:fs";
import { dirname } from "node:path";

const logBytesMax = 20 * 1024 * 1024;
const setpriv = "/usr/bin/setpriv";

/** What to run: a command, its arguments, what is added to our own environment, and where its output goes. */
export type Command = {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Appended to; one that has grown beyond 20 MB is first moved to `….1`. */
  readonly logFile: string;
};

/**
 * Starts a command in a process group of its own, so that Ctrl-C reaches only us and we stop things in our order.
 *
 * Where util-linux is installed the child also gets SIGTERM when we are killed, so that nothing is left behind.
 * The pid is the command's own in both cases.
 */
export function spawnChild(command: Command): ChildProcess {
  const log = openLog(command.logFile);
  const tied = process.platform === "linux" && existsSync(setpriv);
  const [file, args] = tied
    ? [setpriv, ["--pdeathsig", "TERM", "--", command.command, ...command.args]]
    : [command.command, [...command.args]];
  try {
    return spawn(file, args, {
      detached: true,
      stdio: ["ignore", log, log],
      env: { ...process.env, ...command.env },
      ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
    });
  } finally {
    closeSync(log);
  }
}

function openLog(file: string): number {
  mkdirSync(dirname(file), { recursive: true });
  if (existsSync(file) && statSync(file).size > logBytesMax) renameSync(file, `${file}.1`);
  return openSync(file, "a", 0o600);
}
