import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { type Flavour, frameOf, type Truth, zeroFrame } from "./replay-frames.ts";

/** A container of a replayed engine, and what it really used. */
export type ReplayContainer = {
  readonly id: string;
  name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly nanoCpus: number;
  readonly image: string;
  isRunning: boolean;
  exitCode: number;
  /** RFC 3339 with nanoseconds; names the run. */
  startedAt: string;
  startedMs: number;
  starts: number;
  /** Of this run. */
  truth: Truth;
  /** What was true when this run was last asked for one sample: whoever asks before a stop has seen as much. */
  polled: Truth;
  /** Of the runs before. */
  readonly past: Truth[];
};

/** What is done to the next calls that match, instead of answering them. */
export type EngineFault = {
  readonly method: string;
  readonly path: RegExp;
  times: number;
  /** Cut before or after it was done, refused, or never answered. */
  readonly kind: "cut-before" | "cut-after" | "refuse" | "hang";
};

/**
 * An engine of which everything is known: the answers are those that real engines were seen to give (docs/devices.md), over a
 * real socket; the containers are not real, so that there can be thousands, and their use is what the test says.
 */
export type ReplayEngine = AsyncDisposable & {
  readonly url: string;
  readonly containers: ReadonlyMap<string, ReplayContainer>;
  readonly removed: readonly ReplayContainer[];
  /** How often something was created, all in all. */
  readonly created: number;
  /** Sets how the streams of frames look from now on. */
  flavour: Flavour;
  /** What every container uses in a second from now on; by default half of what it may, 40 MB, and nothing sent. */
  load: { cpuShare: number; memoryBytes: number; sentPerSecond: number };
  fault(fault: EngineFault): void;
  /** The container of an allocation. */
  of(allocationId: string): ReplayContainer;
  /** Ends by itself. */
  crash(container: ReplayContainer, exitCode?: number): void;
  /** Stops and starts: counters begin anew. */
  restart(container: ReplayContainer): void;
  /** The node is cut off; its containers go on. */
  cutOff(): Promise<void>;
  comeBack(): Promise<void>;
};

/** Starts one. Frames come every 100 ms, as a real engine's every second, unless it is said otherwise. */
export async function openReplayEngine(
  images: readonly string[],
  frameMs = 100,
): Promise<ReplayEngine> {
  const folder = mkdtempSync(join(tmpdir(), "fbr-"));
  const socketPath = join(folder, "d.sock");
  const containers = new Map<string, ReplayContainer>();
  const removed: ReplayContainer[] = [];
  const faults: EngineFault[] = [];
  const engine: ReplayEngine = {
    url: `unix://${socketPath}`,
    ...{ containers, removed, created: 0, flavour: "docker-v1" },
    load: { cpuShare: 0.5, memoryBytes: 40 << 20, sentPerSecond: 0 },
    fault: (fault) => void faults.push(fault),
    of: (allocationId) => {
      const digits = allocationId.replace("alc_", "");
      const all = [...containers.values(), ...removed];
      const found = all.find((it) => it.labels["farebox.allocation"] === digits);
      if (found === undefined) throw new Error(`no container of ${allocationId}`);
      return found;
    },
    crash: (container, exitCode = 137) => endRun(engine, container, exitCode),
    restart: (container) => {
      endRun(engine, container, 0);
      beginRun(container);
    },
    cutOff: () => close(),
    comeBack: () => open(),
    [Symbol.asyncDispose]: async () => {
      await close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  const api = replayApi({ engine, images, frameMs, containers, removed });
  let server = createServer();
  const open = async () => {
    rmSync(socketPath, { force: true });
    server = createServer((req, res) => void answer(api, faults, req, res));
    await new Promise<void>((done) => server.listen(socketPath, done));
  };
  const close = () =>
    new Promise<void>((done) => {
      server.close(() => done());
      server.closeAllConnections();
    });
  await open();
  return engine;
}

type Api = (call: ApiCall, res: ServerResponse) => { status: number; body?: unknown } | "streams";
type ApiCall = {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: string;
};

async function answer(
  api: Api,
  faults: EngineFault[],
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const url = new URL(req.url ?? "/", "http://engine");
  const path = url.pathname.replace(/^\/v1\.\d+/, "");
  const method = req.method ?? "GET";
  const fault = faults.find((it) => it.times > 0 && it.method === method && it.path.test(path));
  if (fault !== undefined) fault.times -= 1;
  if (fault?.kind === "hang") return;
  if (fault?.kind === "cut-before") return void req.socket.destroy();
  if (fault?.kind === "refuse") return send(res, { status: 500, body: { message: "told to" } });
  const body = await text(req).catch(() => "");
  const result = api({ method, path, query: url.searchParams, body }, res);
  if (fault?.kind === "cut-after") return void req.socket.destroy();
  if (result !== "streams") send(res, result);
}

function send(res: ServerResponse, { status, body }: { status: number; body?: unknown }): void {
  res.writeHead(status, { "content-type": "application/json" });
  res.end(body === undefined ? "" : JSON.stringify(body));
}

type World = {
  readonly engine: ReplayEngine & { created: number };
  readonly images: readonly string[];
  readonly frameMs: number;
  readonly containers: Map<string, ReplayContainer>;
  readonly removed: ReplayContainer[];
};

function replayApi(world: World): Api {
  const { engine, containers, images, removed } = world;
  const gone = { status: 404, body: { message: "no such container" } };
  const find = (word: string) =>
    containers.get(word) ?? [...containers.values()].find(({ name }) => name === word);
  const create = ({ query, body }: ApiCall) => {
    const name = query.get("name") ?? "";
    const wish: {
      Image: string;
      Labels: Record<string, string>;
      HostConfig: { NanoCpus: number };
    } = JSON.parse(body);
    if (!images.includes(wish.Image)) return { status: 404, body: { message: "No such image" } };
    if (find(name) !== undefined) return { status: 409, body: { message: "name is in use" } };
    const made = newContainer(name, wish.Image, wish.Labels, wish.HostConfig.NanoCpus);
    containers.set(made.id, made);
    engine.created += 1;
    return { status: 201, body: { Id: made.id, Warnings: [] } };
  };
  const act = (container: ReplayContainer, verb: string, call: ApiCall, res: ServerResponse) => {
    switch (verb) {
      case "json":
        return { status: 200, body: inspected(container) };
      case "stats":
        return stats(world, container, call, res);
      case "start":
        if (container.isRunning) return { status: 304 };
        beginRun(container);
        return { status: 204 };
      case "stop":
        if (!container.isRunning) return { status: 304 };
        endRun(engine, container, 143);
        return { status: 204 };
      case "rename":
        container.name = call.query.get("name") ?? "";
        return { status: 204 };
      default:
        if (container.isRunning) endRun(engine, container, 137);
        containers.delete(container.id);
        removed.push(container);
        return { status: 204 };
    }
  };
  return (call, res) => {
    const { method, path } = call;
    if (path === "/_ping") return { status: 200 };
    if (path === "/info") {
      const body = { NCPU: 64, MemTotal: 256 * 2 ** 30, ServerVersion: "replay" };
      return { status: 200, body };
    }
    if (path === "/containers/create") return create(call);
    if (path === "/containers/json") return { status: 200, body: listed(call, containers) };
    const [, word = "", verb = ""] = /^\/containers\/([^/]+)(?:\/(\w+))?$/.exec(path) ?? [];
    const container = find(decodeURIComponent(word));
    if (container === undefined) return gone;
    return act(container, method === "DELETE" ? "" : verb, call, res);
  };
}

function newContainer(
  name: string,
  image: string,
  labels: Readonly<Record<string, string>>,
  nanoCpus: number,
): ReplayContainer {
  return {
    ...{ id: randomBytes(32).toString("hex"), name, image, labels, nanoCpus },
    ...{
      isRunning: false,
      exitCode: 0,
      startedAt: "0001-01-01T00:00:00Z",
      startedMs: 0,
      starts: 0,
    },
    ...{ truth: noTruth, polled: noTruth, past: [] },
  };
}

const noTruth: Truth = { cpuNanoseconds: 0, sentBytes: 0, memoryByteMs: 0 };

function beginRun(container: ReplayContainer): void {
  container.isRunning = true;
  container.startedMs = Date.now();
  container.startedAt = `${new Date(container.startedMs).toISOString().slice(0, 23)}${String(container.starts).padStart(6, "0")}Z`;
  container.starts += 1;
  container.truth = noTruth;
  container.polled = noTruth;
}

function endRun(engine: ReplayEngine, container: ReplayContainer, exitCode: number): void {
  const { truth } = frameOf(engine, container, Date.now());
  container.past.push(truth);
  container.truth = noTruth;
  container.isRunning = false;
  container.exitCode = exitCode;
}

function inspected({ id, name, isRunning, startedAt, exitCode, labels }: ReplayContainer) {
  return {
    ...{ Id: id, Name: `/${name}`, Config: { Labels: labels } },
    State: { Running: isRunning, StartedAt: startedAt, ExitCode: exitCode, OOMKilled: false },
  };
}

function listed({ query }: ApiCall, containers: ReadonlyMap<string, ReplayContainer>) {
  const filters: { label?: readonly string[] } = JSON.parse(query.get("filters") ?? "{}");
  const wanted = (filters.label ?? []).map((it) => it.split("="));
  return [...containers.values()]
    .filter(({ labels }) => wanted.every(([key = "", value]) => labels[key] === value))
    .map(({ id, name, isRunning, labels }) => ({
      ...{ Id: id, Names: [`/${name}`], Labels: labels },
      State: isRunning ? "running" : "exited",
    }));
}

function stats(
  { engine, frameMs }: World,
  container: ReplayContainer,
  { query }: ApiCall,
  res: ServerResponse,
): { status: number; body?: unknown } | "streams" {
  const frame = () =>
    container.isRunning ? frameOf(engine, container, Date.now()).frame : zeroFrame(container);
  if (query.get("stream") === "false" || query.get("stream") === "0") {
    if (!container.isRunning) return { status: 200, body: zeroFrame(container) };
    const now = frameOf(engine, container, Date.now());
    container.polled = now.truth;
    return { status: 200, body: now.frame };
  }
  res.writeHead(200, { "content-type": "application/json" });
  const push = () => void res.write(`${JSON.stringify(frame())}\n`);
  push();
  const timer = setInterval(push, frameMs);
  res.on("close", () => clearInterval(timer));
  return "streams";
}
