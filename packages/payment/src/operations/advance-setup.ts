import { AppError } from "@farebox/kit/app-error";
import { newUuid } from "@farebox/kit/ids";
import { inTransaction } from "@farebox/kit/mysql";
import { retryDelayMs } from "../domain/payment.ts";
import type { MethodFacts, MethodSetup, SetupReport } from "../domain/saved-method.ts";
import type { ProviderAnswer } from "../providers/payment-provider.ts";
import {
  ensureCustomerRow,
  forgetProviderCustomer,
  lockCustomer,
  setDefaultMethod,
} from "../store/customer-store.ts";
import { insertMethod } from "../store/method-store.ts";
import { moveSetup, readSetup } from "../store/setup-store.ts";
import { ensureCustomer } from "./ensure-customer.ts";
import type { PaymentDeps } from "./payment-deps.ts";

/** Stripe forgets idempotency keys after 24 hours; a page that nobody was sent to by then is not opened any more. */
const keyMsMax = 23 * 3_600_000;

/**
 * Does the next thing for a setup: opens its page, or asks how it stands and keeps the method that was saved. The webhook,
 * the page that the payer returns to and the janitor all call this; any number of times, in any order. While the provider
 * does not answer, the setup stays as it was. Answers the setup as it then stands.
 */
export async function advanceSetup(deps: PaymentDeps, id: string): Promise<MethodSetup> {
  const setup = await requireSetup(deps, id);
  if (setup.state !== "CREATED" && setup.state !== "PENDING") return setup;
  const nowMs = deps.clock.nowMs();
  if (setup.sessionId === "" && nowMs - setup.createTimeMs > keyMsMax) {
    await moveSetup(deps.pool, setup, { state: "EXPIRED", attempts: 0 });
    return requireSetup(deps, id);
  }
  const answer = await ask(deps, setup);
  if (answer.kind === "DONE") {
    await note(deps, setup, answer.value);
  } else if (answer.kind === "REFUSED") {
    await moveSetup(deps.pool, setup, { state: "FAILED", setupUrl: "", attempts: 0 });
  } else {
    deps.events.providerSilent("setup", answer.cause);
    await moveSetup(deps.pool, setup, {
      state: setup.state,
      attempts: setup.attempts + 1,
      dueMs: nowMs + retryDelayMs(setup.attempts),
    });
  }
  return requireSetup(deps, id);
}

async function ask(deps: PaymentDeps, setup: MethodSetup): Promise<ProviderAnswer<SetupReport>> {
  const { provider } = deps;
  if (setup.sessionId !== "") return provider.readSetup(setup);
  const { providerCustomerId } = await ensureCustomer(deps, setup.accountId);
  const answer = await provider.beginSetup(setup, providerCustomerId);
  // Somebody deleted the customer at the provider's site: the next setup makes another.
  if (answer.kind === "REFUSED") await forgetIfGone(deps, providerCustomerId);
  return answer;
}

async function forgetIfGone({ pool, provider, clock }: PaymentDeps, id: string): Promise<void> {
  const has = await provider.hasCustomer(id);
  if (has.kind === "DONE" && !has.value) await forgetProviderCustomer(pool, id, clock.nowMs());
}

async function note(deps: PaymentDeps, setup: MethodSetup, report: SetupReport): Promise<void> {
  const nowMs = deps.clock.nowMs();
  const { state, sessionId, setupUrl, method } = report;
  if (state !== "SAVED" || method === undefined) {
    const isOpen = state === "PENDING";
    await moveSetup(deps.pool, setup, {
      ...{ state, sessionId, setupUrl: isOpen ? setupUrl : "", attempts: 0 },
      ...(isOpen ? { dueMs: nextLookMs(setup, nowMs) } : {}),
    });
    return;
  }
  await keepMethod(deps, setup, { sessionId, method });
}

/** The method, the default and the end of the setup, in one transaction. */
async function keepMethod(
  { pool, clock, events }: PaymentDeps,
  setup: MethodSetup,
  { sessionId, method }: { readonly sessionId: string; readonly method: MethodFacts },
): Promise<void> {
  const nowMs = clock.nowMs();
  const id = newUuid().toString("hex");
  const isNew = await inTransaction(pool, async (tx) => {
    await ensureCustomerRow(tx, setup, nowMs);
    const customer = await lockCustomer(tx, setup);
    const { accountId, isTest } = setup;
    const saved = {
      id,
      accountId,
      isTest,
      state: "ACTIVE",
      attempts: 0,
      createTimeMs: nowMs,
    } as const;
    const isInserted = await insertMethod(tx, { ...method, ...saved });
    if (isInserted && customer?.defaultMethodId === "") await setDefaultMethod(tx, setup, id);
    await moveSetup(tx, setup, { state: "SAVED", sessionId, setupUrl: "", attempts: 0 });
    return isInserted;
  });
  if (isNew) events.methodSaved(setup.accountId, id);
}

/** A webhook usually says so first; should it be lost, looks come ever later with the age of the setup. */
function nextLookMs({ createTimeMs }: MethodSetup, nowMs: number): number {
  return nowMs + Math.min(3_600_000, Math.max(15_000, (nowMs - createTimeMs) / 2));
}

async function requireSetup({ pool }: PaymentDeps, id: string): Promise<MethodSetup> {
  const setup = await readSetup(pool, { id });
  if (setup === undefined) throw new AppError("PAYMENT_METHOD_NOT_FOUND");
  return setup;
}
