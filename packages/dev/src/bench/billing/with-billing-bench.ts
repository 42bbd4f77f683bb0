import { checkRun } from "../conserve/check-run.ts";
import type { UsageTally } from "../conserve/usage-tally.ts";
import { type FundedAccount, type FundingRequest, fundAccounts } from "../fund-accounts.ts";
import type { Installation } from "../installation.ts";
import { type BenchMeter, openBenchMeter } from "./bench-meter.ts";
import { readPrice } from "./read-price.ts";
import { createSimulatedCalls, type SimulatedCalls } from "./simulated-calls.ts";

/** An interceptor with calls to press it with, and the check of what it charged. */
export type BillingBench = {
  readonly meter: BenchMeter;
  readonly calls: SimulatedCalls;
  fund(request: FundingRequest): Promise<readonly Caller[]>;
};

/** Who pays, as the interceptor is told. */
export type Caller = Pick<FundedAccount, "accountId" | "apiKeyId"> & { readonly userId: string };

/**
 * Runs `measure` against an interceptor of its own, closes that so that every lease is returned, and checks the books. What
 * the simulated upstream answered is counted by the calls themselves, apart from everything that bills.
 */
export async function withBillingBench<T>(
  installation: Installation,
  delivered: UsageTally,
  measure: (bench: BillingBench) => Promise<T>,
): Promise<{ readonly measured: T; readonly faults: readonly string[] }> {
  const price = await readPrice(installation);
  let measured: T;
  {
    await using meter = await openBenchMeter(installation);
    const calls = createSimulatedCalls(meter.meter, price);
    const fund = async (request: FundingRequest) =>
      (await fundAccounts(installation, request)).map(({ accountId, apiKeyId }) => ({
        accountId,
        apiKeyId,
        userId: "",
      }));
    measured = await measure({ meter, calls, fund });
    await meter.settled();
    calls.tallyInto(delivered);
  }
  const { databaseUrl } = installation;
  return { measured, faults: await checkRun({ databaseUrl, delivered }) };
}
