import { AppError } from "@farebox/kit/app-error";
import { newUuid } from "@farebox/kit/ids";
import { inTransaction } from "@farebox/kit/mysql";
import { keyMsMax, nextLookMs, retryDelayMs } from "../domain/patience.ts";
import type { MethodFacts, MethodSetup, SetupReport } from "../domain/saved-method.ts";
import type { ProviderAnswer } from "../providers/payment-provider.ts";
import { lockCustomer, setDefaultMethod } from "../store/customer-store.ts";
import { insertMethod } from "../store/method-store.ts";
import { keepSetupCustomer, moveSetup, readSetup } from "../store/setup-store.ts";
import { ensureCustomer } from "./ensure-customer.ts";
import { forgetCustomerIfGone } from "./hear-of-method.ts";
import type { PaymentDeps } from "./payment-deps.ts";

/**
 * Does the next thing for a setup: opens its page, or asks how it stands and keeps the method that was saved. The webhook,
 * the page that the payer returns to and the janitor all call this; any number of times, in any order. While the provider
 * does not answer, the setup stays as it was. Answers the setup as it then stands.
 */
export async function advanceSetup(deps: PaymentDeps, id: string): Promise<MethodSetup> {
  const setup = await requireSetup(deps, id);
  if (setup.state !== "CREATED" && setup.state !== "PENDING") return setup;
  const nowMs = deps.clock.nowMs();
  // A page that nobody was sent to by then is not opened any more.
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
  const customer = await customerOf(deps, setup);
  if (customer.kind !== "DONE") return customer;
  const answer = await provider.beginSetup(setup, customer.value);
  // Somebody deleted the customer at the provider's site: the next setup makes another.
  if (answer.kind === "REFUSED") await forgetCustomerIfGone(deps, customer.value);
  return answer;
}

/** Whom the page is for. It is kept with the setup, so that a repetition under its key says the same. */
async function customerOf(deps: PaymentDeps, setup: MethodSetup): Promise<ProviderAnswer<string>> {
  if (setup.providerCustomerId !== "") return { kind: "DONE", value: setup.providerCustomerId };
  const answer = await ensureCustomer(deps, setup.accountId);
  if (answer.kind !== "DONE") return answer;
  return { kind: "DONE", value: await keepSetupCustomer(deps.pool, setup, answer.value) };
}

async function note(deps: PaymentDeps, setup: MethodSetup, report: SetupReport): Promise<void> {
  const { sessionId, state } = report;
  switch (state) {
    case "SAVED":
      await keepMethod(deps, setup, report);
      return;
    case "EXPIRED":
      await moveSetup(deps.pool, setup, { state, sessionId, setupUrl: "", attempts: 0 });
      return;
    case "PENDING": {
      const { setupUrl } = report;
      const dueMs = nextLookMs(setup.createTimeMs, deps.clock.nowMs());
      await moveSetup(deps.pool, setup, { state, sessionId, setupUrl, attempts: 0, dueMs });
    }
  }
}

/** The method, the default and the end of the setup, in one transaction. */
async function keepMethod(
  { pool, clock, events }: PaymentDeps,
  setup: MethodSetup,
  { sessionId, method }: { readonly sessionId: string; readonly method: MethodFacts },
): Promise<void> {
  const id = newUuid().toString("hex");
  const { accountId, isTest } = setup;
  const isNew = await inTransaction(pool, async (tx) => {
    const customer = await lockCustomer(tx, setup);
    const isInserted = await insertMethod(tx, {
      ...{ ...method, id, accountId, isTest },
      ...{ state: "ACTIVE", attempts: 0, createTimeMs: clock.nowMs() },
    });
    if (isInserted && customer.defaultMethodId === "") await setDefaultMethod(tx, setup, id);
    await moveSetup(tx, setup, { state: "SAVED", sessionId, setupUrl: "", attempts: 0 });
    return isInserted;
  });
  if (isNew) events.methodSaved(accountId, id);
}

async function requireSetup({ pool }: PaymentDeps, id: string): Promise<MethodSetup> {
  const setup = await readSetup(pool, { id });
  if (setup === undefined) throw new AppError("PAYMENT_METHOD_NOT_FOUND");
  return setup;
}
