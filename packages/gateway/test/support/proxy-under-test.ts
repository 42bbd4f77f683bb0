import { AppError } from "@farebox/kit/app-error";
import { systemClock } from "@farebox/kit/clock";
import { formatNanos } from "@farebox/kit/money";
import { listen } from "@farebox/kit/ops-server";
import type { Reason } from "@farebox/kit/reasons";
import { charge } from "@farebox/pricing/charge";
import { compilePrice } from "@farebox/pricing/compiled-price";
import { parsePrice } from "@farebox/pricing/price";
import { makeSnapshot } from "@farebox/pricing/snapshot";
import { parseUpstreams } from "../../src/domain/parse-upstreams.ts";
import { createRouteTable } from "../../src/domain/route.ts";
import { createPublicServer } from "../../src/http/public-server.ts";
import type { AccessEntry } from "../../src/interceptor/access/access-entry.ts";
import type { AttemptOutcome, BilledCall } from "../../src/interceptor/billed-call.ts";
import { createModelLists } from "../../src/model-lists.ts";
import type { ProxyDeps } from "../../src/proxy.ts";
import { servePublic } from "../../src/public-api.ts";
import type { Quota } from "../../src/steps/hold.ts";
import { LiveExchanges } from "../../src/steps/live-exchanges.ts";
import { loadTokenizers } from "../../src/upstream/load-tokenizers.ts";
import { closeTargets, openTargets } from "../../src/upstream/upstream-target.ts";
import type { ScriptedUpstream } from "./scripted-upstream.ts";

/** Dollars per million tokens of the only model, under both dialects. */
export const price = compilePrice(
  makeSnapshot(
    parsePrice({
      provider: "test",
      model: "gpt-4o-test",
      input: "2",
      output: "10",
      cache_read: "1",
      context_tokens: 100_000,
      max_output_tokens: 4000,
    }),
    { exchangeRate: "1", accountCurrency: "USD" },
  ),
);

/** An ended call: what was asked for, and how it came out. */
export type SettledCall = { readonly call: BilledCall; readonly outcome: AttemptOutcome };

/** The proxy behind a real port, with an account in memory. */
export type ProxyUnderTest = AsyncDisposable & {
  readonly url: string;
  readonly settled: SettledCall[];
  readonly checkpoints: { readonly outputTokens: number }[];
  readonly failures: unknown[];
  /** Why calls were refused, in order. */
  readonly refused: Reason[];
  /** Resolves when so many calls have been settled. */
  settledCount(count: number): Promise<void>;
  /** What the account has. Reservations come out of it, and return to it. */
  availableNanos: bigint;
  /** Stops the server as SIGTERM does. */
  drain(msMax: number): Promise<void>;
  /** Resolves before an outcome counts as durable. */
  journal: () => Promise<void>;
};

/** Starts the proxy in front of an upstream, with everything real but Billing. */
export async function startProxy(
  upstream: ScriptedUpstream,
  options: {
    readonly holder?: Partial<AccessEntry>;
    readonly deps?: Partial<ProxyDeps>;
    /** Instead of the account in memory. */
    readonly quota?: Quota;
    readonly rename?: Readonly<Record<string, string>>;
  } = {},
): Promise<ProxyUnderTest> {
  const waiting = new Set<() => void>();
  const under = { availableNanos: 1_000_000_000n, journal: () => Promise.resolve() };
  const settled: SettledCall[] = [];
  const checkpoints: { readonly outputTokens: number }[] = [];
  const failures: unknown[] = [];
  const refused: Reason[] = [];
  const quota: Quota = {
    beforeRequest: (_caller, call) => {
      const { hold, end } = reserve(under, call);
      return {
        ...hold,
        get grantedNanos() {
          return hold.grantedNanos;
        },
        checkpoint: (usage) => void checkpoints.push(usage),
        settle: async (outcome) => {
          const costNanos = outcome.usageSource === "none" ? 0n : charge(call.price, outcome.usage);
          settled.push({ call, outcome });
          end(costNanos);
          await under.journal();
          for (const wake of waiting) wake();
          return { costNanos, transactionId: "txn_" };
        },
        void: async () => {
          end(0n);
          return { costNanos: 0n, transactionId: "txn_" };
        },
      };
    },
  };
  const events: ProxyDeps["events"] & { ended(): void; usageMalformed(): void } = {
    ended: () => undefined,
    usageMalformed: () => undefined,
    refused: (_id, { reason }) => void refused.push(reason),
    failed: (_id, error) => failures.push(error),
  };
  const base = { base_url: upstream.url, price_provider: "test", rename: options.rename ?? {} };
  const upstreams = parseUpstreams({
    upstreams: [
      { ...base, name: "o", dialect: "openai", api_key_env: "O_KEY" },
      { ...base, name: "a", dialect: "anthropic", api_key_env: "A_KEY" },
    ],
  });
  const targets = openTargets(upstreams, {
    keyOf: (variable) => `secret of ${variable}`,
    patience: { connectMs: 2000, firstByteMs: 5000, idleMs: 5000 },
    connectionsMax: 64,
  });
  const clock = systemClock;
  const live = new LiveExchanges({ idleMsMax: 5000, monotonicMs: clock.monotonicMs });
  const holder: AccessEntry = {
    accountId: "acc",
    apiKeyId: "key",
    userId: "",
    tenantId: "",
    isActive: true,
    expireTimeMs: Number.POSITIVE_INFINITY,
    scopes: new Set(["inference"]),
    allowedModels: [],
    currency: "USD",
    disconnectPolicy: "partial",
    ...options.holder,
  };
  const deps: ProxyDeps = {
    keys: {
      find: (secret) => {
        if (secret !== "fbx_good") throw new AppError("UNAUTHENTICATED");
        return holder;
      },
    },
    prices: {
      find: ({ model }) => {
        if (model === "unpriced") throw new AppError("MODEL_NOT_PRICED");
        return found;
      },
    },
    routes: createRouteTable(upstreams),
    targets,
    live,
    clock,
    events,
    answerBytesMax: 1 << 20,
    bodyBytesMax: 1 << 20,
    topUpUrl: "https://pay.example.com",
    billing: { quota: options.quota ?? quota, tokenizers: await loadTokenizers(), clock, events },
    ...options.deps,
  };
  const lists = createModelLists({
    upstreams,
    pricedModels: () => listed,
    monotonicMs: clock.monotonicMs,
  });
  const server = createPublicServer((request) =>
    servePublic(
      {
        proxy: deps,
        models: { keys: deps.keys, events, lists },
        probes: { notReady: () => [] },
        consoleApi: ({ res }) => void res.writeHead(404).end(),
      },
      request,
    ),
  );
  const port = await listen(server.server, "127.0.0.1", 0);
  return Object.assign(under, {
    url: `http://127.0.0.1:${port}`,
    settled,
    checkpoints,
    failures,
    refused,
    drain: server.drain,
    settledCount: async (count: number) => {
      while (settled.length < count) {
        await new Promise<void>((resolve) => waiting.add(resolve));
      }
    },
    [Symbol.asyncDispose]: async () => {
      await server.drain(1000);
      live[Symbol.dispose]();
      await closeTargets(targets);
    },
  });
}

const found = { price, snapshotId: Buffer.alloc(16, 1), effectiveFromMs: 0 };
const listed = [{ provider: "test", model: "gpt-4o-test" }];

/** Reserves the worst case, or the rest when that is of use. */
function reserve(under: { availableNanos: bigint }, call: BilledCall) {
  const isClamped = under.availableNanos < call.worstCaseNanos;
  if (under.availableNanos < call.minimumNanos) {
    throw new AppError("INSUFFICIENT_BALANCE", undefined, {
      metadata: { available: formatNanos(under.availableNanos) },
    });
  }
  const hold = {
    isFree: false,
    isClamped,
    grantedNanos: isClamped ? under.availableNanos : call.worstCaseNanos,
    grow: (nanos: bigint) => {
      if (under.availableNanos < nanos) return false;
      under.availableNanos -= nanos;
      hold.grantedNanos += nanos;
      return true;
    },
  };
  under.availableNanos -= hold.grantedNanos;
  return {
    hold,
    end: (costNanos: bigint) => {
      under.availableNanos += hold.grantedNanos - costNanos;
    },
  };
}
