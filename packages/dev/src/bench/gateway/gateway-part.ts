import type { BenchOptions } from "../bench-options.ts";
import type { PartResult } from "../bench-row.ts";
import { awaitSettled } from "../conserve/await-settled.ts";
import { checkRun } from "../conserve/check-run.ts";
import { fundAccounts } from "../fund-accounts.ts";
import type { RunningProxy } from "../installation.ts";
import type { Part, PartRun } from "../part.ts";
import { installPortkey } from "../targets/portkey.ts";
import { scriptSpec } from "../targets/script-spec.ts";
import { gatewayLoad } from "./gateway-load.ts";
import { gatewayRows } from "./gateway-rows.ts";
import { type Contender, type Contest, interleave } from "./interleave.ts";
import { readUpstreamLog } from "./read-upstream-log.ts";

/**
 * The whole gateway over HTTP: billing on and billing off against the barest proxy there can be, in the same minutes, with the
 * same clients and the same upstream; plain answers of one kilobyte and streams of fifty chunks.
 */
export const gatewayPart: Part = async (run) => {
  const { installation, options, log, delivered } = run;
  const upstreamUrl = await installation.startUpstream();
  const field = await openField(run, upstreamUrl);
  const spread = await fundAccounts(installation, {
    prefix: "gateway",
    count: options.accounts,
    withKeys: true,
  });
  const [hot] = await fundAccounts(installation, {
    prefix: "gateway-hot",
    count: 1,
    withKeys: true,
  });
  const keys = { spread: spread.map(({ apiKey }) => apiKey), hot: [hot?.apiKey ?? ""] };
  const contend = (isStream: boolean, durationMs: number) =>
    contendersOf({ run, field, upstreamUrl, keys, isStream, durationMs });
  log("warming up");
  const quiet = () => undefined;
  const warm = await interleave(
    [...contend(false, options.warmUpMs), ...contend(true, options.warmUpMs)],
    { rounds: 1, log: quiet },
  );
  const plain = await interleave(contend(false, options.durationMs), { ...options, log });
  const streams = await interleave(contend(true, options.durationMs), {
    ...options,
    log: (line) => log(`streams, ${line}`),
  });
  const faults: string[] = [warm, plain, streams].flatMap((contest: Contest) => contest.faults);
  const { databaseUrl } = installation;
  faults.push(...(await checkRun({ databaseUrl, delivered })));
  return { rows: gatewayRows(plain, streams), faults } satisfies PartResult;
};

/** Everything that is measured, by the name it has in the figures. */
type Field = {
  readonly bare: RunningProxy;
  readonly off: RunningProxy;
  readonly on: RunningProxy;
  readonly portkey:
    | (RunningProxy & { readonly headers: Readonly<Record<string, string>> })
    | undefined;
};

async function openField(run: PartRun, upstreamUrl: string): Promise<Field> {
  const { installation, options, log } = run;
  const { home, start } = installation;
  const bare = await scriptSpec(home, {
    name: "bare-proxy",
    file: "bare-proxy.ts",
    env: { UPSTREAM_URL: upstreamUrl },
  });
  const gateway = (name: string, env: Readonly<Record<string, string>>) =>
    installation.startGateway({ name, upstreamUrl, env });
  const field = {
    bare: { url: bare.url, child: await start(bare.spec) },
    off: await gateway("gateway-off", { BILLING: "off" }),
    on: await gateway("gateway-on", {}),
  };
  if (!options.withPortkey) return { ...field, portkey: undefined };
  log("installing @portkey-ai/gateway");
  const { spec, url, headers } = await installPortkey(home, upstreamUrl);
  return { ...field, portkey: { url, headers, child: await start(spec) } };
}

type Entry = {
  readonly run: PartRun;
  readonly field: Field;
  readonly upstreamUrl: string;
  readonly keys: { readonly spread: readonly string[]; readonly hot: readonly string[] };
  readonly isStream: boolean;
  readonly durationMs: number;
};

function contendersOf(entry: Entry): readonly Contender[] {
  const { field, keys, isStream, durationMs, run } = entry;
  const { connections } = run.options satisfies BenchOptions;
  const load = gatewayLoad({ apiKeys: keys.spread, isStream, durationMs });
  const contender = (name: string, { url, child }: RunningProxy): Contender => ({
    name,
    target: { url, connections },
    load,
    pid: () => child.pid(),
  });
  const books = countInto(entry);
  const { installation } = run;
  const behind = {
    billing: () => installation.billing.pid(),
    database: () => installation.databasePid(),
  };
  const billed = { ...contender("billing_on", field.on), ...books, behind };
  const hotLoad = gatewayLoad({ apiKeys: keys.hot, isStream, durationMs });
  return [
    contender("bare_proxy", field.bare),
    contender("billing_off", field.off),
    billed,
    ...(isStream ? [] : [{ ...billed, name: "billing_on_hot", load: hotLoad }]),
    // It answers streamed calls to a custom host with 500.
    ...(field.portkey === undefined || isStream
      ? []
      : [
          {
            ...contender("portkey", field.portkey),
            load: { ...load, headers: field.portkey.headers },
          },
        ]),
  ];
}

/** Around a run with billing on: the upstream forgets what others asked of it, and what it answered then must be settled. */
function countInto({ run, upstreamUrl }: Entry): Pick<Contender, "beforeRun" | "afterRun"> {
  const { delivered, installation } = run;
  return {
    beforeRun: async () => {
      await readUpstreamLog(upstreamUrl);
    },
    afterRun: async () => {
      const log = await readUpstreamLog(upstreamUrl);
      for (const line of log.answered) delivered.add(line);
      await awaitSettled(installation.databaseUrl, delivered.calls);
    },
  };
}
