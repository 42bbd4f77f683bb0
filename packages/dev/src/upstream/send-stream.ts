import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { setTimeout as sleep, setImmediate as yieldTurn } from "node:timers/promises";
import { type Call, type Delivery, headers } from "./call.ts";
import type { StreamPlan } from "./dialect.ts";

/** One write of a stream, and what it means for the delivery. */
type Step = { readonly text: string; readonly is: "opening" | "content" | "usage" | "other" };

/** How a stream is to go: its writes, and its end. */
type Script = {
  readonly steps: readonly Step[];
  readonly end: "end" | "destroy";
  readonly outcome: Delivery["outcome"];
};

type Sent = { bytes: number; chunks: number; usageSent: Delivery["usageSent"] };

/**
 * Sends the events of a stream, one write a turn of the event loop so that each travels on its own, and stops when the
 * client is gone. Resolves when the answer has ended, never rejects.
 */
export async function sendStream(
  call: Call,
  plan: StreamPlan,
): Promise<{ delivery: Delivery; clientAborted: boolean }> {
  const { res, demand } = call;
  const { scenario } = demand;
  const { steps, end, outcome } = scriptOf(call, plan);
  const type = scenario.fault === "wrong-content-type" ? "text/plain" : "text/event-stream";
  res.writeHead(200, [...headers(call, type), "cache-control", "no-cache"]);
  const sent: Sent = { bytes: 0, chunks: 0, usageSent: "none" };
  if (scenario.isBurst) res.cork();
  for (const step of steps) {
    if (res.destroyed) break;
    await write(res, step.text);
    sent.bytes += Buffer.byteLength(step.text);
    if (step.is === "content") sent.chunks += 1;
    if (step.is === "usage") sent.usageSent = "full";
    // Anthropic's first event already carries the input's figures.
    if (step.is === "opening" && step.text.includes('"usage":{')) sent.usageSent = "partial";
    if (scenario.gapMs > 0) await sleep(scenario.gapMs);
    else if (!scenario.isBurst) await yieldTurn();
  }
  if (scenario.isBurst) res.uncork();
  const clientAborted = res.destroyed;
  if (!clientAborted && end === "end") res.end();
  // An empty write calls back once everything before it is on its way.
  if (!clientAborted && end === "destroy") res.write("", () => res.destroy());
  return { delivery: { ...sent, status: 200, outcome }, clientAborted };
}

function scriptOf({ dialect, demand: { scenario } }: Call, plan: StreamPlan): Script {
  const as = (is: Step["is"], texts: readonly string[]) => texts.map((text) => ({ text, is }));
  const opening = as("opening", plan.opening);
  const deltas = as("content", plan.deltas);
  const closing = as("other", plan.closing);
  const usage = as("usage", plan.usage);
  const some = deltas.slice(0, scenario.chunksBeforeFault ?? deltas.length);
  switch (scenario.fault) {
    case "cut-before-usage": {
      const rest = scenario.chunksBeforeFault === undefined ? closing : [];
      return { steps: [...opening, ...some, ...rest], end: "destroy", outcome: "cut" };
    }
    case "cut-after-usage":
      return {
        steps: [...opening, ...deltas, ...closing, ...usage],
        end: "destroy",
        outcome: "cut",
      };
    case "error-200": {
      const error = as("other", [dialect.errorEvent("The server had an error")]);
      return { steps: [...opening, ...some, ...error], end: "end", outcome: "failed" };
    }
    case "truncated-json": {
      const last = plan.usage[0] ?? plan.closing.at(-1) ?? "";
      const torn = as("other", [last.slice(0, Math.floor(last.length / 2))]);
      return { steps: [...opening, ...deltas, ...torn], end: "end", outcome: "truncated" };
    }
    default: {
      const done = as("other", plan.done);
      const steps = [...opening, ...deltas, ...closing, ...usage, ...done];
      return { steps, end: "end", outcome: "answered" };
    }
  }
}

async function write(res: ServerResponse, text: string): Promise<void> {
  if (res.write(text) || res.writableCorked > 0) return;
  const closed = new AbortController();
  const onClose = () => closed.abort();
  res.once("close", onClose);
  await once(res, "drain", { signal: closed.signal }).catch(() => undefined);
  res.off("close", onClose);
}
