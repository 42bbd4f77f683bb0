import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { awaitCondition } from "../await-condition.ts";
import type { CallRecord } from "../make-call.ts";
import type { Load } from "../start-load.ts";
import type { LoadCommand, LoadNews, LoadOrder } from "./load-order.ts";
import { type RateMeter, rateMeter } from "./rate-meter.ts";

/** Calls of another process that go on until they are stopped or disposed of. */
export type Pressure = Load & {
  /** How fast they were answered in full. */
  readonly rate: RateMeter;
};

const main = fileURLToPath(new URL("press-main.ts", import.meta.url));
const stopMsMax = 90_000;
const completesMsMax = 90_000;

/** Begins to call, in a process of its own, as fast as the gateways answer. */
export function pressGateways(order: LoadOrder): Pressure {
  const child = fork(main, [], { serialization: "advanced", execArgv: [] });
  const records: CallRecord[] = [];
  const rate = rateMeter(() => performance.now());
  const ended = Promise.withResolvers<void>();
  let completed = 0;
  child.on("message", (news: LoadNews) => {
    if (news.kind === "end") ended.resolve();
    else if (news.kind === "records") records.push(...news.records);
    else {
      completed = news.completed;
      rate.note(completed);
    }
  });
  child.once("exit", (code, signal) =>
    ended.reject(new Error(`the calling process ended (${signal ?? code})`)),
  );
  // Whoever waits hears of it; nobody may be waiting yet.
  ended.promise.catch(() => undefined);
  child.once("error", (error) => ended.reject(error));
  const tell = (command: LoadCommand) => {
    if (child.connected) child.send(command);
  };
  tell({ kind: "begin", order });
  const end = async () => {
    tell({ kind: "stop" });
    const late = setTimeout(
      () => ended.reject(new Error("the calls under way do not end")),
      stopMsMax,
    );
    try {
      await ended.promise;
    } finally {
      clearTimeout(late);
      const lives = child.exitCode === null && child.signalCode === null;
      const exited = lives ? once(child, "exit") : undefined;
      child.kill("SIGKILL");
      await exited;
    }
  };
  let stopped: Promise<void> | undefined;
  const stop = async () => {
    stopped ??= end();
    await stopped;
    return records;
  };
  return {
    rate,
    get completed() {
      return completed;
    },
    completes: async (more) => {
      const goal = completed + more;
      const reached = awaitCondition(`${more} more calls`, () => completed >= goal, completesMsMax);
      await Promise.race([reached, ended.promise]);
    },
    stop,
    [Symbol.asyncDispose]: async () => void (await stop().catch(() => undefined)),
  };
}
