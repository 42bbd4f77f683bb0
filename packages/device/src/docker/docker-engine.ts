import { readFileSync } from "node:fs";
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { join } from "node:path";
import { Readable } from "node:stream";
import { inspect as inspectValue } from "node:util";
import Docker, { type DockerOptions } from "dockerode";
import { containerOptions } from "./container-options.ts";
import { type ContainerSpec, type Engine, EngineError } from "./engine.ts";
import { followSamples } from "./follow-samples.ts";
import { probeEngine } from "./probe-engine.ts";
import { readFrame } from "./read-frame.ts";

const callMsMax = 10_000;
const quickMsMax = 1_000;
/** Engines send a frame every one to five seconds. */
const frameMsMax = 15_000;
/** Calls to one engine at a time; more wait. */
const callsMax = 32;
const streamsMax = 2_000;

/**
 * Opens an engine of Docker's API by its URL: unix:///path, http://host:port, or https://host:port with `ca.pem`, `cert.pem` and
 * `key.pem` in the folder of DOCKER_CERT_PATH. Nothing is dialled before the first call.
 */
export function openDockerEngine(url: string, certFolder?: string): Engine {
  const isTls = url.startsWith("https:");
  const makeAgent = (maxSockets: number) => {
    const agent = new (isTls ? HttpsAgent : HttpAgent)({ keepAlive: true, maxSockets });
    // docker-modem writes all of its options out before every call, for a debug line that nobody reads. An agent with a
    // thousand open streams took a second of CPU each time.
    return Object.assign(agent, { [inspectValue.custom]: () => "Agent" });
  };
  const agents = { calls: makeAgent(callsMax), streams: makeAgent(streamsMax) };
  const options = { ...addressOf(url), ...(isTls ? readCerts(certFolder) : {}) };
  // The agent goes to node:http as it is; the library's types know only the one of SSH.
  const connect = (agent: unknown, timeout: number) =>
    new Docker(Object.assign({ ...options, timeout }, { agent }));
  const calls = connect(agents.calls, callMsMax);
  const streams = connect(agents.streams, frameMsMax);
  const engine: Engine = {
    describe: () => asked(() => describe(calls)),
    run: (spec) => asked(() => run(calls, spec)),
    inspect: (id) => asked(() => unlessGone(inspect(calls, id))),
    list: (installation) => asked(() => list(calls, installation)),
    sample: (id) =>
      asked(async () => {
        const frame = await calls.getContainer(id).stats({ stream: false, "one-shot": true });
        return readFrame(frame);
      }),
    follow: (id) => followSamples(openStats(streams, id)),
    stop: (id, timeoutMs) => asked(() => stop(streams, id, timeoutMs)),
    remove: (id) =>
      asked(
        async () =>
          void (await unlessGone(calls.getContainer(id).remove({ force: true, v: true }))),
      ),
    rename: (id, name) => asked(async () => void (await calls.getContainer(id).rename({ name }))),
    probe: (image, of) => probeEngine(engine, image, of),
    [Symbol.dispose]: () => {
      agents.calls.destroy();
      agents.streams.destroy();
    },
  };
  return engine;
}

function addressOf(url: string): DockerOptions {
  if (url.startsWith("unix://")) return { socketPath: url.slice("unix://".length) };
  const { protocol, hostname, port } = new URL(url);
  const isTls = protocol === "https:";
  return {
    protocol: isTls ? "https" : "http",
    host: hostname,
    port: port || (isTls ? "2376" : "2375"),
  };
}

function readCerts(folder: string | undefined): DockerOptions {
  if (folder === undefined) return {};
  const read = (name: string) => readFileSync(join(folder, name));
  return { ca: read("ca.pem"), cert: read("cert.pem"), key: read("key.pem") };
}

async function describe(docker: Docker) {
  const { NCPU, MemTotal, ServerVersion } = await docker.info();
  const cores = typeof NCPU === "number" ? NCPU : 0;
  const bytes = typeof MemTotal === "number" ? MemTotal : 0;
  return {
    version: String(ServerVersion ?? ""),
    capacity: { cpuMillis: cores * 1000, memoryMb: Math.trunc(bytes / 2 ** 20), storageMb: 0 },
  };
}

async function run(docker: Docker, spec: ContainerSpec): Promise<{ readonly containerId: string }> {
  const containerId = await create(docker, spec);
  try {
    await docker.getContainer(containerId).start();
  } catch (error) {
    // 304: it was started before.
    if (statusOf(error) !== 304) throw error;
  }
  return { containerId };
}

async function create(docker: Docker, spec: ContainerSpec): Promise<string> {
  try {
    const { id } = await docker.createContainer(containerOptions(spec));
    return id;
  } catch (error) {
    // The name is the allocation's own: an earlier try made it, and its answer was lost.
    if (statusOf(error) !== 409) throw error;
    const { Id } = await docker.getContainer(spec.name).inspect();
    return Id;
  }
}

async function inspect(docker: Docker, containerId: string) {
  const { State } = await docker.getContainer(containerId).inspect();
  return {
    isRunning: State.Running,
    startedAt: State.StartedAt,
    exitCode: State.ExitCode,
    isOutOfMemory: State.OOMKilled,
  };
}

async function list(docker: Docker, installation: string | undefined) {
  const ofOne = installation === undefined ? "" : `=${installation}`;
  const filters = { label: [`farebox.installation${ofOne}`] };
  const found = await docker.listContainers({ all: true, filters });
  return found.map(({ Id, Names, State, Labels }) => ({
    containerId: Id,
    name: (Names[0] ?? "").replace(/^\//, ""),
    isRunning: State === "running",
    labels: Labels,
  }));
}

async function stop(docker: Docker, containerId: string, timeoutMs: number): Promise<void> {
  try {
    await unlessGone(docker.getContainer(containerId).stop({ t: Math.ceil(timeoutMs / 1000) }));
  } catch (error) {
    if (statusOf(error) !== 304) throw error;
  }
}

async function openStats(docker: Docker, containerId: string): Promise<Readable> {
  const stream = await docker.getContainer(containerId).stats({ stream: true });
  return stream instanceof Readable ? stream : new Readable().wrap(stream);
}

async function unlessGone<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw error;
  }
}

/**
 * Turns what the library throws into our own: an answer with a status is a refusal, anything else is silence. A connection that
 * was kept open may be closed by the engine as it is used again: every call can be made twice, and is, once.
 */
async function asked<T>(call: () => Promise<T>, retriesMax = 1): Promise<T> {
  const beganMs = performance.now();
  try {
    return await call();
  } catch (error) {
    if (error instanceof EngineError) throw error;
    // One that is cut late was given up by ourselves.
    const isQuick = performance.now() - beganMs < quickMsMax;
    if (retriesMax > 0 && isQuick && isCut(error)) return asked(call, retriesMax - 1);
    const why = error instanceof Error ? error.message : String(error);
    throw new EngineError(why, { status: statusOf(error), cause: error });
  }
}

function isCut(error: unknown): boolean {
  if (!(error instanceof Error) || !("code" in error)) return false;
  return error.code === "ECONNRESET" || error.code === "EPIPE";
}

function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("statusCode" in error)) return undefined;
  return typeof error.statusCode === "number" ? error.statusCode : undefined;
}
