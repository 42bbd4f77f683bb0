import { setTimeout as sleep } from "node:timers/promises";
import type { AttemptLog } from "./attempt-log.ts";
import type { Call, Delivery } from "./call.ts";
import { type DemoUsage, demoAnswer, noDemoUsage } from "./demo-usage.ts";
import type { Reply } from "./dialect.ts";
import { sendBody, sendPlain } from "./send-plain.ts";
import { sendStream } from "./send-stream.ts";

const hangMs = 10 * 60_000;

/** Answers one call as its scenario says and writes it into the log, once, when the answer has ended. */
export function answerCall(log: AttemptLog, call: Call): void {
  const { scenario } = call.demand;
  if (scenario.firstByteMs > 0 || scenario.fault === "hang") {
    void answerLater(log, call);
    return;
  }
  answerNow(log, call);
}

async function answerLater(log: AttemptLog, call: Call): Promise<void> {
  const { scenario } = call.demand;
  const closed = new AbortController();
  call.res.once("close", () => closed.abort());
  const waitMs = scenario.fault === "hang" ? hangMs : scenario.firstByteMs;
  await sleep(waitMs, undefined, { signal: closed.signal }).catch(() => undefined);
  if (scenario.fault === "hang" || closed.signal.aborted) {
    const isAborted = closed.signal.aborted;
    call.res.destroy();
    const outcome = scenario.fault === "hang" ? "hung" : "cut";
    record(
      log,
      call,
      { outcome, status: 0, bytes: 0, chunks: 0, usageSent: "none" },
      isAborted,
      noDemoUsage,
    );
    return;
  }
  answerNow(log, call);
}

function answerNow(log: AttemptLog, call: Call): void {
  const { dialect, demand, res } = call;
  const { scenario } = demand;
  if (scenario.status !== 200) {
    const retryAfter = scenario.retryAfterSeconds ?? (scenario.status === 429 ? 1 : undefined);
    const body = dialect.error(scenario.status, `demo scenario ${scenario.text}`);
    const extra = retryAfter === undefined ? [] : ["retry-after", String(retryAfter)];
    const bytes = sendBody(call, scenario.status, "application/json", body, extra);
    const delivery = {
      outcome: "refused",
      status: scenario.status,
      bytes,
      chunks: 0,
      usageSent: "none",
    } as const;
    record(log, call, delivery, false, noDemoUsage);
    return;
  }
  const answer = demoAnswer(demand);
  const charged = answer.reported ?? answer.consumed;
  const reply: Reply = {
    id: call.id,
    createdSeconds: Math.floor(Date.now() / 1_000),
    demand,
    answer,
  };
  if (scenario.fault === "cut-before-first-byte") {
    res.destroy();
    record(
      log,
      call,
      { outcome: "cut", status: 0, bytes: 0, chunks: 0, usageSent: "none" },
      false,
      charged,
    );
    return;
  }
  if (!demand.isStream) {
    record(log, call, sendPlain(call, reply), false, charged);
    return;
  }
  void sendStream(call, dialect.stream(reply)).then(({ delivery, clientAborted }) =>
    record(log, call, delivery, clientAborted, charged),
  );
}

function record(
  log: AttemptLog,
  call: Call,
  delivery: Delivery,
  clientAborted: boolean,
  usage: DemoUsage,
): void {
  log.add({
    id: call.id,
    timeMs: Date.now(),
    dialect: call.dialect.name,
    model: call.demand.model,
    scenario: call.demand.scenario.text,
    isStream: call.demand.isStream,
    status: delivery.status,
    outcome: delivery.outcome,
    clientAborted,
    usage,
    usageSent: delivery.usageSent,
    bytes: delivery.bytes,
    chunks: delivery.chunks,
  });
}
