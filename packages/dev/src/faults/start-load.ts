import { setTimeout as sleep } from "node:timers/promises";
import { awaitCondition } from "./await-condition.ts";
import { type CallRecord, type CallWish, makeCall, openClients } from "./make-call.ts";
import type { Customer } from "./office.ts";
import type { SeededRandom } from "./seeded-random.ts";

/** Who calls whom, and how hard. */
export type LoadWish = {
  readonly gatewayUrls: readonly string[];
  readonly customers: readonly Customer[];
  /** How many clients call at a time, each its next as soon as its last has ended. */
  readonly clients: number;
  readonly random: SeededRandom;
};

/** Calls that go on until they are stopped or disposed of. */
export type Load = AsyncDisposable & {
  /** How many have been answered in full so far. */
  readonly completed: number;
  /** Waits for so many more answers in full than there are now. */
  completes(more: number): Promise<void>;
  /** Lets the calls under way end and returns every call since the start. */
  stop(): Promise<readonly CallRecord[]>;
};

/** Bounds what a load remembers. */
const callsMax = 200_000;

/**
 * What a load is made of: both dialects, plain and streamed, some streams slow so that every fault finds some under way;
 * providers that break and refuse; clients that leave.
 */
const scenarios: readonly Pick<
  CallWish,
  "dialect" | "isStream" | "scenario" | "leavesAfterChunks"
>[] = [
  { scenario: "ok" },
  { scenario: "cached=50,reasoning=7" },
  { scenario: "output=31" },
  { isStream: true, scenario: "output=24" },
  { isStream: true, scenario: "output=40,gap=10,cached=30" },
  { dialect: "anthropic", scenario: "cached=40,cache-write=20" },
  { dialect: "anthropic", isStream: true, scenario: "output=30,gap=5" },
  { isStream: true, scenario: "output=40,gap=10", leavesAfterChunks: 5 },
  { isStream: true, scenario: "output=30,cut-before-usage=9" },
  { scenario: "cut-before-first-byte" },
  { scenario: "429" },
];

/** Begins to call, with plain and streamed calls of several shapes, over all gateways and customers. */
export function startLoad(wish: LoadWish): Load {
  const agent = openClients(wish.clients);
  const records: CallRecord[] = [];
  let completed = 0;
  let isStopping = false;
  const client = async () => {
    while (!isStopping && records.length < callsMax) {
      const record = await makeCall(agent, nextCall(wish));
      records.push(record);
      if (record.end === "complete") completed += 1;
      // A gateway that is down refuses at once: without a pause its clients would take the machine from everybody.
      else await sleep(pauseMs);
    }
  };
  const clients = Array.from({ length: wish.clients }, client);
  let stopped: Promise<void> | undefined;
  const end = async () => {
    isStopping = true;
    await Promise.all(clients);
    await agent.close();
  };
  const stop = async () => {
    stopped ??= end();
    await stopped;
    return records;
  };
  return {
    get completed() {
      return completed;
    },
    completes: async (more) => {
      const goal = completed + more;
      await awaitCondition(`${more} more calls`, () => completed >= goal, 60_000);
    },
    stop,
    [Symbol.asyncDispose]: async () => void (await stop()),
  };
}

const pauseMs = 25;

function nextCall({ gatewayUrls, customers, random }: LoadWish) {
  return {
    gatewayUrl: random.pick(gatewayUrls),
    ...random.pick(customers),
    ...random.pick(scenarios),
  } satisfies CallWish;
}
