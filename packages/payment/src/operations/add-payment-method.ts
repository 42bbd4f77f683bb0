import { AppError } from "@farebox/kit/app-error";
import type { Queryable } from "@farebox/kit/column-values";
import { newUuid } from "@farebox/kit/ids";
import { inTransaction, isDuplicate } from "@farebox/kit/mysql";
import { type MethodKind, methodCapabilities } from "../domain/method-capabilities.ts";
import { type MethodSetup, savedMethodsMax } from "../domain/saved-method.ts";
import { ensureCustomerRow, lockCustomer } from "../store/customer-store.ts";
import { listMethods } from "../store/method-store.ts";
import { countOpenSetups, insertSetup, readSetup } from "../store/setup-store.ts";
import { advanceSetup } from "./advance-setup.ts";
import type { PaymentDeps } from "./payment-deps.ts";

export type AddPaymentMethodInput = {
  readonly requestId: string;
  readonly accountId: string;
  readonly kind: MethodKind;
  readonly returnUrl: string;
};

/**
 * Opens a page of the provider's to save a method at. The intent is kept before the provider is asked, and its id is the key.
 * Repeated with the same content it answers the same page, without an address once it has ended.
 *
 * Errors: ACCOUNT_NOT_FOUND, PAYMENT_METHOD_UNSUITABLE for a kind that cannot be saved, that the provider refuses, and for one more
 * than the account may have, REQUEST_ID_REUSED, PAYMENT_UNAVAILABLE.
 */
export async function addPaymentMethod(
  deps: PaymentDeps,
  input: AddPaymentMethodInput,
): Promise<MethodSetup> {
  const { accountId, requestId } = input;
  const known = await readSetup(deps.pool, { accountId, requestId });
  const setup = known ?? (await insertNew(deps, input));
  if (setup.kind !== input.kind || setup.returnUrl !== input.returnUrl) {
    throw new AppError("REQUEST_ID_REUSED");
  }
  const stands = setup.state === "CREATED" ? await advanceSetup(deps, setup.id) : setup;
  if (stands.state === "FAILED") throw unsuitable({ field: "kind" });
  if (stands.state !== "CREATED") return stands;
  throw new AppError("PAYMENT_UNAVAILABLE", undefined, { retryAfterMs: 1000 });
}

async function insertNew(deps: PaymentDeps, input: AddPaymentMethodInput): Promise<MethodSetup> {
  const { pool, provider, accounts, clock } = deps;
  const { accountId, requestId, kind, returnUrl } = input;
  requireSavable(deps, kind);
  await accounts.getAccount({ accountId });
  await ensureCustomerRow(pool, { accountId, isTest: provider.isTest }, clock.nowMs());
  const setup: MethodSetup = {
    id: newUuid().toString("hex"),
    ...{ accountId, requestId, kind, returnUrl, providerCustomerId: "" },
    isTest: provider.isTest,
    state: "CREATED",
    ...{ sessionId: "", setupUrl: "", attempts: 0 },
    createTimeMs: clock.nowMs(),
  };
  try {
    // Under the customer's lock, so that many at once are no more than the account may have.
    await inTransaction(pool, async (tx) => {
      await lockCustomer(tx, setup);
      await requireRoom(tx, setup);
      await insertSetup(tx, setup);
    });
    return setup;
  } catch (error) {
    const twin = isDuplicate(error) ? await readSetup(pool, { accountId, requestId }) : undefined;
    if (twin === undefined) throw error;
    return twin;
  }
}

function requireSavable({ kinds }: PaymentDeps, kind: MethodKind): void {
  const able = kinds.some((name) => {
    const can = methodCapabilities[name];
    return can.kind === kind && can.offSession;
  });
  if (!able) throw unsuitable({ field: "kind" });
}

function unsuitable(metadata: Readonly<Record<string, string>>, why?: string): AppError {
  return new AppError("PAYMENT_METHOD_UNSUITABLE", why, { metadata });
}

async function requireRoom(db: Queryable, setup: MethodSetup): Promise<void> {
  const saved = await listMethods(db, setup, savedMethodsMax);
  const open = await countOpenSetups(db, setup);
  if (saved.length + open < savedMethodsMax) return;
  const why = "The account has as many saved payment methods and pages to save one at as it may.";
  throw unsuitable({ field: "account_id", maximum: String(savedMethodsMax) }, why);
}
