import { createLogger } from "@farebox/kit/logger";
import { type FakeClock, fakeClock } from "@farebox/kit/testing/clock";
import { noUsage } from "@farebox/pricing/usage";
import type { AttemptOutcome } from "../src/interceptor/billed-call.ts";
import {
  type InterceptorSettings,
  interceptorDefaults,
} from "../src/interceptor/interceptor-settings.ts";
import { type OpenBilling, openBilling } from "../src/interceptor/open-billing.ts";
import type { FakeBilling } from "./fake-billing.ts";
import { smallJournal } from "./journal.ts";

/** An interceptor on a journal of its own and a fake Billing. Its clock stands still unless it is advanced. */
export async function openTestBilling(
  billing: FakeBilling,
  directory: string,
  over: Partial<InterceptorSettings> = {},
): Promise<OpenBilling & { readonly clock: FakeClock }> {
  const clock = fakeClock();
  const open = await openBilling(
    { billing, lock: noLock, clock, log: createLogger({ name: "test", level: "silent" }) },
    { ...interceptorDefaults, journal: smallJournal(directory), ...over },
  );
  return { ...open, clock };
}

/** An attempt that delivered so many output tokens, at 2000 nanos each. */
export function delivered(
  outputTokens: number,
  over: Partial<AttemptOutcome> = {},
): AttemptOutcome {
  return {
    state: "succeeded",
    httpStatus: 200,
    latencyMs: 12.5,
    timeToFirstTokenMs: undefined,
    upstreamId: "chatcmpl-1",
    errorReason: undefined,
    usage: { ...noUsage, outputTokens },
    usageSource: "provider",
    providerCostNanos: undefined,
    isAbsurd: false,
    ...over,
  };
}

/** Locks that nobody obtains: the interceptor must be right without them. */
const noLock = {
  tryLock: () => Promise.resolve(undefined),
  tryLockMany: (keys: readonly string[]) => Promise.resolve(keys.map(() => undefined)),
};
