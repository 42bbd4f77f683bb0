import { type ChildProcess, spawn } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findStaticBusybox } from "./busybox-image.ts";
import { engineRequest } from "./engine-request.ts";

/** A Docker engine of one's own, in folders and namespaces of its own. */
export type PrivateEngine = AsyncDisposable & {
  /** unix:///… */
  readonly url: string;
  readonly socketPath: string;
  /** Ends dockerd at once, as a crash does. Its containers live on. */
  kill(): Promise<void>;
  /** Starts it again on the same folders. */
  start(): Promise<void>;
};

const startMsMax = 30_000;
const stopMsMax = 20_000;
const binFolders = ["/usr/sbin", "/usr/bin", "/usr/local/bin", "/sbin", "/bin"];

/** Why no engine can be started here, for people; undefined when one can. */
export function whyNoEngine(): string | undefined {
  if (process.platform !== "linux") return "containers need Linux";
  if (process.getuid?.() !== 0) return "starting dockerd needs root";
  for (const program of ["dockerd", "unshare", "setpriv", "iptables"]) {
    if (!binFolders.some((folder) => existsSync(join(folder, program)))) {
      return `${program} is not installed (apt-get install docker.io iptables)`;
    }
  }
  if (findStaticBusybox() === undefined) {
    return "there is no static busybox (apt-get install busybox-static)";
  }
  return undefined;
}

/**
 * Starts an engine and loads images into it. It has mounts and a network of its own, so that it leaves no trace on the machine's.
 * Disposing it removes its containers, ends it and deletes its folder. It ends with the process that started it.
 */
export async function openPrivateEngine(
  options: { readonly images?: readonly Buffer[] } = {},
): Promise<PrivateEngine> {
  // Short: the path of a socket has at most 108 bytes.
  const folder = mkdtempSync(join(tmpdir(), "fbx-"));
  const socketPath = join(folder, "d.sock");
  let daemon: ChildProcess | undefined;
  const start = async () => {
    // What a crash leaves behind: dockerd would wait for processes that have ended.
    for (const left of ["pid", "exec/containerd/containerd.pid"]) {
      rmSync(join(folder, left), { force: true });
    }
    daemon = launch(folder, socketPath);
    await awaitAnswer(folder, socketPath, daemon);
  };
  const pidOf = () => readPid(folder);
  const engine: PrivateEngine = {
    url: `unix://${socketPath}`,
    socketPath,
    kill: async () => {
      const ended = daemon === undefined ? undefined : once(daemon);
      kill(pidOf(), "SIGKILL");
      await ended;
    },
    start,
    [Symbol.asyncDispose]: async () => {
      await removeContainers(socketPath).catch(() => undefined);
      await stop(daemon, folder);
      for (const pid of pidsWith(folder)) kill(pid, "SIGKILL");
      await removeFolder(folder);
    },
  };
  try {
    await start();
    for (const body of options.images ?? []) {
      await engineRequest(socketPath, {
        ...{ method: "POST", path: "/images/load?quiet=1", body, type: "application/x-tar" },
      });
    }
    return engine;
  } catch (error) {
    await engine[Symbol.asyncDispose]();
    throw error;
  }
}

/** In namespaces of its own, dockerd is the first process's child: it is killed when that one is. */
function launch(folder: string, socketPath: string): ChildProcess {
  const flags = [
    ...[`--data-root=${folder}/data`, `--exec-root=${folder}/exec`, `--pidfile=${folder}/pid`],
    ...["-H", `unix://${socketPath}`, "--shutdown-timeout=3", "--log-level=warn"],
  ].join(" ");
  const script = `ip link set lo up 2>/dev/null; exec dockerd ${flags}`;
  const log = openSync(join(folder, "dockerd.log"), "a");
  const path = `${process.env.PATH ?? ""}:${binFolders.join(":")}`;
  const child = spawn(
    "unshare",
    ["-m", "-n", "setpriv", "--pdeathsig", "KILL", "sh", "-c", script],
    { stdio: ["ignore", log, log], env: { ...process.env, PATH: path } },
  );
  child.on("error", (error) => appendFileSync(join(folder, "dockerd.log"), String(error)));
  return child;
}

async function awaitAnswer(
  folder: string,
  socketPath: string,
  daemon: ChildProcess,
): Promise<void> {
  const untilMs = performance.now() + startMsMax;
  while (performance.now() < untilMs && daemon.exitCode === null) {
    try {
      await engineRequest(socketPath, { method: "GET", path: "/_ping" });
      return;
    } catch {
      await sleep(50);
    }
  }
  const log = readFileSync(join(folder, "dockerd.log"), "utf8").slice(-2_000);
  throw new Error(`dockerd did not start:\n${log}`);
}

async function removeContainers(socketPath: string): Promise<void> {
  const call = { method: "GET", path: "/containers/json?all=1" };
  const listed: { Id: string }[] = JSON.parse(String(await engineRequest(socketPath, call)));
  await Promise.allSettled(
    listed.map(({ Id }) =>
      engineRequest(socketPath, { method: "DELETE", path: `/containers/${Id}?force=1` }),
    ),
  );
}

async function stop(daemon: ChildProcess | undefined, folder: string): Promise<void> {
  if (daemon === undefined || daemon.exitCode !== null || daemon.signalCode !== null) return;
  const ended = once(daemon);
  kill(readPid(folder), "SIGTERM");
  const timer = setTimeout(() => daemon.kill("SIGKILL"), stopMsMax);
  await ended;
  clearTimeout(timer);
}

function once(daemon: ChildProcess): Promise<void> {
  if (daemon.exitCode !== null || daemon.signalCode !== null) return Promise.resolve();
  return new Promise((done) => {
    daemon.once("exit", () => done());
  });
}

/** 0 while it has none: no process has that id. */
function readPid(folder: string): number {
  try {
    return Number(readFileSync(join(folder, "pid"), "utf8"));
  } catch {
    return 0;
  }
}

/** Processes whose command line names the folder: shims, and what dockerd started beside itself. */
function pidsWith(folder: string): readonly number[] {
  return readdirSync("/proc")
    .filter((it) => /^\d+$/.test(it) && Number(it) !== process.pid)
    .filter((it) => {
      try {
        const line = readFileSync(`/proc/${it}/cmdline`, "utf8").replaceAll("\0", " ");
        return line.includes(folder);
      } catch {
        return false;
      }
    })
    .map(Number);
}

function kill(pid: number, signal: NodeJS.Signals): void {
  if (pid <= 1) return;
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended by itself.
  }
}

/** Mounts go with the namespace, as soon as the last process in it has ended. */
async function removeFolder(folder: string): Promise<void> {
  for (let tries = 0; tries < 50; tries += 1) {
    try {
      rmSync(folder, { recursive: true, force: true });
      return;
    } catch {
      await sleep(100);
    }
  }
}
