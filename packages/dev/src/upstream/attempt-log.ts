import { type DemoUsage, noDemoUsage } from "./demo-usage.ts";
import type { Dialect } from "./dialect.ts";
import { openJsonLines } from "./json-lines.ts";

/** One call that reached the demo upstream, as it was answered. Holds no key and no prompt. */
export type Attempt = {
  /** 1 for the first since the start (or the last reset); never skips. */
  readonly seq: number;
  /** The id in the answer: what a provider's own records would name. */
  readonly id: string;
  readonly timeMs: number;
  readonly dialect: Dialect["name"];
  readonly model: string;
  readonly scenario: string;
  readonly isStream: boolean;
  readonly status: number;
  readonly outcome: Outcome;
  /** Whether the client closed before the answer was complete. */
  readonly clientAborted: boolean;
  /** What the call is to be charged for by its reported usage; what it consumed when none was reported. */
  readonly usage: DemoUsage;
  /** `full`: reported and handed to the socket; `partial`: only a stream's opening figures; `none`. */
  readonly usageSent: "full" | "partial" | "none";
  /** Body bytes handed to the socket. */
  readonly bytes: number;
  /** Content chunks handed to the socket; 1 for a whole plain body. */
  readonly chunks: number;
};

/** How an attempt ended, from the upstream's point of view. */
export type Outcome = "answered" | "refused" | "failed" | "cut" | "truncated" | "hung";

/** Sums over all attempts since the start or the last reset, however many the ring still holds. */
export type Totals = {
  readonly calls: number;
  readonly clientAborts: number;
  readonly bytes: number;
  readonly outcomes: Readonly<Record<string, number>>;
  /** Of attempts with `usageSent` full: what a correct bill adds up to. */
  readonly usage: DemoUsage;
  /** Of all other attempts: consumed, but never fully reported. */
  readonly usageUnsent: DemoUsage;
  readonly models: Readonly<Record<string, ModelTotals>>;
};

/** The same for one model, as answers report it. */
export type ModelTotals = {
  readonly calls: number;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly usage: DemoUsage;
};

/** The upstream's own account of what it answered, independent of anything that bills it. */
export type AttemptLog = {
  add(attempt: Omit<Attempt, "seq">): void;
  /** Attempts after `since`, oldest first; `dropped` says how many of them the ring no longer holds. */
  read(since: number, limit: number): { attempts: readonly Attempt[]; dropped: number };
  totals(): Totals;
  reset(): void;
  close(): void;
};

const ringMax = 100_000;

/** Opens a log: a ring of the last 100,000 attempts, sums of all, and every attempt as a line of `file` when given. */
export function openAttemptLog(file: string | undefined): AttemptLog {
  const lines = file === undefined ? undefined : openJsonLines(file);
  let ring: Attempt[] = [];
  let seq = 0;
  let sums = newSums();
  return {
    add: (entry) => {
      seq += 1;
      const attempt = { seq, ...entry };
      ring[(seq - 1) % ringMax] = attempt;
      addTo(sums, attempt);
      lines?.write(attempt);
    },
    read: (since, limit) => {
      const oldest = Math.max(0, seq - ringMax);
      const first = Math.max(since, oldest);
      const attempts: Attempt[] = [];
      for (let at = first; at < Math.min(seq, first + limit); at++) {
        const attempt = ring[at % ringMax];
        if (attempt !== undefined) attempts.push(attempt);
      }
      return { attempts, dropped: Math.max(0, oldest - since) };
    },
    totals: () => structuredClone(sums),
    reset: () => {
      ring = [];
      seq = 0;
      sums = newSums();
    },
    close: () => lines?.close(),
  };
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Sums = {
  calls: number;
  clientAborts: number;
  bytes: number;
  outcomes: Record<string, number>;
  usage: Mutable<DemoUsage>;
  usageUnsent: Mutable<DemoUsage>;
  models: Record<
    string,
    { calls: number; outcomes: Record<string, number>; usage: Mutable<DemoUsage> }
  >;
};

function newSums(): Sums {
  return {
    calls: 0,
    clientAborts: 0,
    bytes: 0,
    outcomes: {},
    usage: { ...noDemoUsage },
    usageUnsent: { ...noDemoUsage },
    models: Object.create(null),
  };
}

function addTo(sums: Sums, attempt: Attempt): void {
  const isSent = attempt.usageSent === "full";
  let model = sums.models[attempt.model];
  if (model === undefined) {
    model = { calls: 0, outcomes: {}, usage: { ...noDemoUsage } };
    sums.models[attempt.model] = model;
  }
  sums.calls += 1;
  sums.bytes += attempt.bytes;
  if (attempt.clientAborted) sums.clientAborts += 1;
  sums.outcomes[attempt.outcome] = (sums.outcomes[attempt.outcome] ?? 0) + 1;
  addUsage(isSent ? sums.usage : sums.usageUnsent, attempt.usage);
  model.calls += 1;
  model.outcomes[attempt.outcome] = (model.outcomes[attempt.outcome] ?? 0) + 1;
  if (isSent) addUsage(model.usage, attempt.usage);
}

function addUsage(sum: Mutable<DemoUsage>, usage: DemoUsage): void {
  sum.inputTokens += usage.inputTokens;
  sum.cacheReadTokens += usage.cacheReadTokens;
  sum.cacheWriteTokens += usage.cacheWriteTokens;
  sum.cacheWrite1hTokens += usage.cacheWrite1hTokens;
  sum.outputTokens += usage.outputTokens;
  sum.reasoningTokens += usage.reasoningTokens;
}
