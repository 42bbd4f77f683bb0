import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { getOption } from "@bufbuild/protobuf";
import type { AppError } from "@farebox/kit/app-error";
import { secret } from "@farebox/kit/ids";
import { AccountService } from "@farebox/proto/farebox/billing/v1/account_service";
import { BillingService } from "@farebox/proto/farebox/billing/v1/billing_service";
import { CatalogService } from "@farebox/proto/farebox/billing/v1/catalog_service";
import { OperationsService } from "@farebox/proto/farebox/billing/v1/operations_service";
import { ReportService } from "@farebox/proto/farebox/billing/v1/report_service";
import { access, Scope } from "@farebox/proto/farebox/common/v1/access";
import { type BillingUnderTest, openAccount, startBillingForTest } from "./billing-under-test.ts";

/** What another account's things are answered with; "scope" where nobody but an operator gets that far. */
type Hidden = "ACCOUNT_NOT_FOUND" | "API_KEY_NOT_FOUND" | "scope" | "not scoped to an account";

const theirKey = `key_${"0".repeat(32)}`;
const order = `rco_${"0".repeat(32)}`;
const lease = `lse_${"0".repeat(32)}`;

/** Every method of billing: a sound request, less the account, and how another account's things are hidden. */
// biome-ignore format: a table is read by column
const methods: Readonly<Record<string, readonly [request: object, hidden: Hidden]>> = {
  "AccountService.GetAccount":            [{}, "ACCOUNT_NOT_FOUND"],
  "AccountService.ListAccounts":          [{}, "scope"],
  "AccountService.CreateAccount":         [{ requestId: "r" }, "scope"],
  "AccountService.UpdateAccount":         [{}, "scope"],
  "AccountService.GrantCredit":           [{ requestId: "r", amount: { amountNanos: 1n } }, "scope"],
  "AccountService.ListCreditGrants":      [{}, "ACCOUNT_NOT_FOUND"],
  "AccountService.ListLedgerEntries":     [{}, "ACCOUNT_NOT_FOUND"],
  "AccountService.ListApiKeys":           [{}, "ACCOUNT_NOT_FOUND"],
  "AccountService.CreateApiKey":          [{ requestId: "r" }, "ACCOUNT_NOT_FOUND"],
  "AccountService.UpdateApiKey":          [{ apiKeyId: theirKey, state: 2 }, "API_KEY_NOT_FOUND"],
  "AccountService.RotateApiKey":          [{ requestId: "r", apiKeyId: theirKey }, "API_KEY_NOT_FOUND"],
  "AccountService.RevokeApiKey":          [{ apiKeyId: theirKey }, "API_KEY_NOT_FOUND"],
  "AccountService.ResolveApiKeys":        [{}, "scope"],
  "AccountService.WatchAccess":           [{}, "scope"],
  "BillingService.CheckQuota":            [{ requestId: "r", service: "llm" }, "ACCOUNT_NOT_FOUND"],
  "BillingService.BatchCheckQuota":       [{ gatewayId: `gtw_${"0".repeat(32)}`, gatewayEpoch: 1n }, "scope"],
  "BillingService.DeductQuota":           [{ requestId: "r" }, "ACCOUNT_NOT_FOUND"],
  "BillingService.ReleaseQuota":          [{ requestId: "r", leaseId: lease }, "ACCOUNT_NOT_FOUND"],
  "BillingService.SettleUsage":           [{}, "scope"],
  "BillingService.ReportDeviceUsage":     [{ requestId: "r", allocationId: "a", periodStart: { seconds: 1n }, periodEnd: { seconds: 2n } }, "scope"],
  "BillingService.BatchReportDeviceUsage": [{ reports: [{ requestId: "r" }] }, "scope"],
  "BillingService.QuoteUsage":            [{ provider: "openai", model: "gpt-4o", usage: {} }, "ACCOUNT_NOT_FOUND"],
  "BillingService.CheckBalance":          [{}, "ACCOUNT_NOT_FOUND"],
  "BillingService.BatchCheckBalance":     [{ accountIds: ["a"] }, "scope"],
  "BillingService.Recharge":              [{ requestId: "r", amount: { amountNanos: 1n } }, "ACCOUNT_NOT_FOUND"],
  "BillingService.ConfirmRecharge":       [{ paymentOrderId: order, paymentId: "p", amount: { currencyCode: "USD", amountNanos: 1n } }, "scope"],
  "BillingService.CancelRecharge":        [{ paymentOrderId: order, paymentId: "p" }, "scope"],
  "BillingService.ReserveRefund":         [{ paymentOrderId: order, reversalId: "r", amount: { amountNanos: 1n } }, "scope"],
  "BillingService.ReverseRecharge":       [{ paymentOrderId: order, reversalId: "r", kind: 1, amount: { amountNanos: 1n } }, "scope"],
  "BillingService.ReinstateRecharge":     [{ paymentOrderId: order, reversalId: "r" }, "scope"],
  "BillingService.GetRechargeOrder":      [{ paymentOrderId: order }, "ACCOUNT_NOT_FOUND"],
  "BillingService.ListRechargeOrders":    [{}, "ACCOUNT_NOT_FOUND"],
  "CatalogService.ListPrices":            [{}, "not scoped to an account"],
  "CatalogService.SetPrice":              [{ requestId: "r" }, "scope"],
  "CatalogService.SyncPrices":            [{}, "scope"],
  "CatalogService.ListFreeQuotas":        [{}, "not scoped to an account"],
  "CatalogService.SetFreeQuota":          [{ service: "llm", period: 1, unit: 1 }, "scope"],
  "CatalogService.SetDeviceRates":        [{ requestId: "r", rates: { currencyCode: "USD" } }, "scope"],
  "CatalogService.ListDeviceRates":       [{}, "not scoped to an account"],
  "CatalogService.GetDeviceRateCard":     [{}, "ACCOUNT_NOT_FOUND"],
  "CatalogService.WatchCatalog":          [{}, "scope"],
  "ReportService.ListTransactions":       [{}, "ACCOUNT_NOT_FOUND"],
  "ReportService.GetCostSummary":         [{}, "ACCOUNT_NOT_FOUND"],
  "ReportService.ListDeviceCharges":      [{}, "ACCOUNT_NOT_FOUND"],
  "ReportService.ExplainCharge":          [{ requestId: "r" }, "ACCOUNT_NOT_FOUND"],
  "OperationsService.RunReconciliation":  [{}, "scope"],
  "OperationsService.ListDeadLetters":    [{}, "scope"],
  "OperationsService.ReplayDeadLetter":   [{ deadLetterId: `dlt_${"0".repeat(32)}` }, "scope"],
  "OperationsService.VoidDeadLetter":     [{ deadLetterId: `dlt_${"0".repeat(32)}` }, "scope"],
};

const services = [AccountService, BillingService, CatalogService, ReportService, OperationsService];
const everyMethod = services.flatMap((service) => service.methods);

/** The scopes of keys, as the contract names them and as a key spells them. */
const keyScopes: ReadonlyMap<number, string> = new Map([
  [Scope.INFERENCE, "inference"],
  [Scope.BILLING_READ, "billing:read"],
  [Scope.BILLING_WRITE, "billing:write"],
  [Scope.DEVICE, "device"],
]);

let billing: BillingUnderTest;
let theirs: Awaited<ReturnType<typeof openAccount>>;
/** A key of an account of its own, by what it may do. */
const keys = new Map<string, string>();

before(async () => {
  billing = await startBillingForTest();
  theirs = await openAccount(billing);
  const all = [...keyScopes.values()];
  for (const scope of all) {
    const { key } = await openAccount(billing, { scopes: all.filter((it) => it !== scope) });
    keys.set(`all but ${scope}`, key);
  }
  keys.set("all", (await openAccount(billing, { scopes: all })).key);
  keys.set("admin", (await openAccount(billing, { scopes: ["admin"] })).key);
});
after(() => billing[Symbol.asyncDispose]());

describe("every method of billing", () => {
  it("has a row in this table, and the table no other", () => {
    assert.deepEqual(everyMethod.map(nameOf).sort(), Object.keys(methods).sort());
  });

  for (const method of everyMethod) {
    const name = nameOf(method);
    const [request = {}, hidden] = methods[name] ?? [];
    const required = getOption(method, access).scope;

    it(`${name} refuses a caller without a credential, and with a wrong one`, async () => {
      const wrong = ["", "x", "fbx_x", secret("fbx"), secret("sk"), theirs.key.slice(0, -1)];
      for (const key of wrong) {
        assert.equal(await refusalOf(method, request, key), "UNAUTHENTICATED", key);
      }
    });

    it(`${name} refuses a key without its scope`, async () => {
      const scope = keyScopes.get(required);
      const weak = scope === undefined ? "all" : `all but ${scope}`;
      const named = { ...request, accountId: theirs.accountId };
      assert.equal(await refusalOf(method, named, keys.get(weak) ?? ""), "PERMISSION_DENIED");
      const isForServices = required === Scope.SERVICE;
      const byAdmin = isForServices && (await refusalOf(method, request, keys.get("admin") ?? ""));
      assert.equal(byAdmin, isForServices && "PERMISSION_DENIED");
    });

    if (hidden === "ACCOUNT_NOT_FOUND" || hidden === "API_KEY_NOT_FOUND") {
      it(`${name} hides what belongs to another account`, async () => {
        const named =
          hidden === "ACCOUNT_NOT_FOUND"
            ? { ...request, accountId: theirs.accountId }
            : { ...request, apiKeyId: theirs.apiKeyId };
        assert.equal(await refusalOf(method, named, keys.get("all") ?? ""), hidden);
      });
    }
  }
});

function nameOf(method: DescMethod): string {
  return `${method.parent.name}.${method.name}`;
}

/** The reason that a call is refused with; undefined when it is not. */
async function refusalOf(
  method: DescMethod,
  request: object,
  key: string,
): Promise<string | undefined> {
  try {
    await call(method, request, key);
    return undefined;
  } catch (error) {
    return (error as AppError).reason;
  }
}

/** Calls a method by its description: the matrix goes over all of them alike. */
async function call(method: DescMethod, request: object, key: string): Promise<void> {
  const service: DescService = method.parent;
  const client: Record<string, unknown> = billing.client(service, key);
  const fn = client[method.localName] as (
    request: object,
  ) => Promise<unknown> & AsyncIterable<unknown>;
  if (method.methodKind === "unary") return void (await fn(request));
  const stream = method.methodKind === "server_streaming" ? fn(request) : fn({});
  for await (const _ of stream) return;
}
