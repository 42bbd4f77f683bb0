import { type ChildProcess, spawn } from "node:child_process";
import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
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
  for (const program of ["dockerd", "unshare", "nsenter", "setpriv", "iptables"]) {
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
 * Starts an engine and loads images into it. It has mounts, a network and processes of its own, so that it leaves no trace on the
 * machine's, and all of it, containers included, ends with the process that started it, however that ends.
 * Disposing it removes its containers, ends it and deletes its folder.
 */
export async function openPrivateEngine(
  options: { readonly images?: readonly Buffer[] } = {},
): Promise<PrivateEngine> {
  // Short: the path of a socket has at most 108 bytes.
  const folder = mkdtempSync(join(tmpdir(), "fbx-"));
  const socketPath = join(folder, "d.sock");
  const world = launch(folder, "setpriv", [...diesWithParent, "unshare", ...ownWorld, holder]);
  let entry: ChildProcess | undefined;
  const start = async () => {
    // What a crash leaves behind: dockerd would wait for processes that have ended.
    for (const left of ["pid", "exec/containerd/containerd.pid"]) {
      rmSync(join(folder, left), { force: true });
    }
    const inside = ["-t", String(await childOf(world)), "-m", "-n", "-p", "--"];
    entry = launch(folder, "nsenter", [...inside, "setpriv", ...diesWithParent, ...daemon(folder)]);
    await awaitAnswer(folder, socketPath, entry);
  };
  const end = async (signal: "SIGTERM" | "SIGKILL") => {
    if (entry === undefined || hasEnded(entry)) return;
    const ended = once(entry);
    const pid = await childOf(entry);
    kill(pid, signal);
    const timer = setTimeout(() => kill(pid, "SIGKILL"), stopMsMax);
    await ended;
    clearTimeout(timer);
  };
  const engine: PrivateEngine = {
    url: `unix://${socketPath}`,
    socketPath,
    kill: () => end("SIGKILL"),
    start,
    [Symbol.asyncDispose]: async () => {
      await removeContainers(socketPath).catch(() => undefined);
      await end("SIGTERM");
      const ended = once(world);
      // The first process of its world: everything else in it ends with it.
      world.kill("SIGKILL");
      await ended;
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

const diesWithParent = ["--pdeathsig", "KILL"];
const ownWorld = ["-m", "-n", "-p", "--fork", "--kill-child", "--mount-proc", "sh", "-c"];
/** Waits for ever, and for whatever is orphaned: engines leave a process a container behind. */
const holder = "ip link set lo up 2>/dev/null; while :; do sleep 3600 & wait; done";

function daemon(folder: string): readonly string[] {
  return [
    ...["dockerd", `--data-root=${folder}/data`, `--exec-root=${folder}/exec`],
    ...[`--pidfile=${folder}/pid`, "-H", `unix://${folder}/d.sock`],
    ...["--shutdown-timeout=3", "--log-level=warn"],
  ];
}

/** In a process group of its own: Ctrl-C reaches only us, and we end it in our order. */
function launch(folder: string, program: string, args: readonly string[]): ChildProcess {
  const log = openSync(join(folder, "dockerd.log"), "a");
  const path = `${process.env.PATH ?? ""}:${binFolders.join(":")}`;
  const child = spawn(program, args, {
    ...{ detached: true, stdio: ["ignore", log, log] },
    env: { ...process.env, PATH: path },
  });
  closeSync(log);
  child.on("error", (error) => appendFileSync(join(folder, "dockerd.log"), String(error)));
  return child;
}

/** The process that this one has forked, once it has. */
async function childOf({ pid = 0 }: ChildProcess): Promise<number> {
  for (let tries = 0; tries < 200; tries += 1) {
    try {
      const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ");
      if (child) return Number(child);
    } catch {
      break;
    }
    await sleep(10);
  }
  throw new Error("a private engine's process has ended at once");
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
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

function once(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return Promise.resolve();
  return new Promise((done) => {
    child.once("exit", () => done());
  });
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
