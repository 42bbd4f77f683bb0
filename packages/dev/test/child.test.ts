import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { type Child, type ChildSpec, type ChildWatcher, startChild } from "../src/child.ts";
import { freePort } from "../src/free-port.ts";
import { pidIdentity, readLivingPid, writePid } from "../src/pid-identity.ts";
import { isListening } from "../src/readiness.ts";

const home = mkdtempSync("/tmp/farebox-child-");
after(() => rmSync(home, { recursive: true, force: true }));

const silent: ChildWatcher = { log: () => undefined };

function spec(name: string, script: string, over: Partial<ChildSpec> = {}): ChildSpec {
  return {
    name,
    command: process.execPath,
    args: ["--eval", script],
    logFile: join(home, `${name}.log`),
    pidFile: join(home, "run", `${name}.pid`),
    isReady: async () => true,
    readyTimeoutMs: 10_000,
    stopTimeoutMs: 5_000,
    ...over,
  };
}

const serve = (port: number) => `require("net").createServer().listen(${port}, "127.0.0.1")`;

test("a child that is killed serves again, and each pid is told", async () => {
  const port = await freePort();
  const pids: (number | undefined)[] = [];
  const child = await startChild(
    spec("killed", serve(port), { isReady: () => isListening(port) }),
    { log: () => undefined, onPid: (_, pid) => pids.push(pid) },
  );
  const first = child.pid();
  assert.ok(first);
  process.kill(first, "SIGKILL");
  await child.restart();
  const second = child.pid();
  assert.equal(await isListening(port), true);
  await child.stop();
  await child.stop();
  assert.deepEqual(pids, [first, undefined, second, undefined]);
  assert.equal(child.pid(), undefined);
  assert.equal(await isListening(port), false);
});

test("who is told that a child has another pid finds it by asking", async () => {
  const port = await freePort();
  const asked: (number | undefined)[] = [];
  let child: Child | undefined;
  child = await startChild(spec("asked", serve(port), { isReady: () => isListening(port) }), {
    log: () => undefined,
    onPid: () => asked.push(child?.pid()),
  });
  const first = child.pid();
  assert.ok(first);
  process.kill(first, "SIGKILL");
  await child.restart();
  const second = child.pid();
  await child.stop();
  assert.ok(second);
  assert.deepEqual(asked, [undefined, undefined, second, undefined]);
});

test("a child that ignores SIGTERM is ended with SIGKILL", async () => {
  const port = await freePort();
  const script = `process.on("SIGTERM", () => {}); ${serve(port)}`;
  const stubborn = spec("stubborn", script, {
    isReady: () => isListening(port),
    stopTimeoutMs: 100,
  });
  const child = await startChild(stubborn, silent);
  const pid = child.pid();
  assert.ok(pid);
  await child.stop();
  assert.equal(pidIdentity(pid), undefined);
});

test("a child that cannot start fails with the end of its log, and is not tried again", async () => {
  const broken = spec("broken", `console.error("no such setting"); process.exit(3)`, {
    isReady: async () => false,
  });
  await assert.rejects(
    startChild(broken, silent),
    /broken ended \(exit code 3\).*\nno such setting/,
  );
});

test("a child that never becomes ready is ended after its time", async () => {
  const pids: number[] = [];
  const mute = spec("mute", "setInterval(() => {}, 1000)", {
    isReady: async () => false,
    readyTimeoutMs: 50,
  });
  await assert.rejects(
    startChild(mute, { log: () => undefined, onPid: (_, pid) => pid && pids.push(pid) }),
    /mute not ready after 50 ms/,
  );
  assert.deepEqual(pids.map(pidIdentity), [undefined]);
});

test("what a killed run left over is stopped first, by its pid file", async () => {
  const old = spawn(process.execPath, ["--eval", "setInterval(() => {}, 1000)"], {
    stdio: "ignore",
  });
  assert.ok(old.pid);
  const next = spec("next", "setInterval(() => {}, 1000)");
  mkdirSync(join(home, "run"), { recursive: true });
  writeFileSync(next.pidFile, writePid(old.pid));
  const ended = once(old, "exit");
  await using child = await startChild(next, silent);
  assert.deepEqual(await ended, [null, "SIGTERM"]);
  assert.notEqual(child.pid(), old.pid);
});

test("a pid that another process has taken over is not the one remembered", () => {
  assert.equal(readLivingPid(writePid(process.pid)), process.pid);
  for (const line of [`${process.pid} 1@earlier`, `${process.pid}`, "0 x", "", "-1 gone", "x"]) {
    assert.equal(readLivingPid(line), undefined, line);
  }
});

test("a taken port gives way to the next free one", async () => {
  const port = await freePort();
  const holder = (await import("node:net")).createServer().listen(port, "127.0.0.1");
  await once(holder, "listening");
  assert.ok((await freePort(port)) > port);
  holder.close();
  await once(holder, "close");
  assert.equal(await freePort(port), port);
});
