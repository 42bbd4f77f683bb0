import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-node";
import { AppError } from "@farebox/kit/app-error";
import { systemClock } from "@farebox/kit/clock";
import { createGrpcClient } from "@farebox/kit/grpc-client";
import { createLogger } from "@farebox/kit/logger";
import { createMetrics } from "@farebox/kit/metrics";
import { listen } from "@farebox/kit/ops-server";
import type { Caller } from "@farebox/kit/rpc-context";
import { serviceMount } from "@farebox/kit/service-mount";
import { serveForTest, type TestServer, testServiceToken } from "@farebox/kit/testing/rpc";
import { AccountService } from "@farebox/proto/farebox/billing/v1/account_service";
import { consoleServices, createConsoleApi, isForClients } from "../src/console-api.ts";
import { createPublicServer, type PublicServer } from "../src/http/public-server.ts";

const owner: Caller = {
  kind: "key",
  apiKeyId: "key_1",
  accountId: "acc_1",
  userId: "",
  scopes: new Set(["BILLING_READ"]),
};
const bearer = { authorization: "Bearer fbx_owner" };
const callers: Caller[] = [];

let billing: TestServer;
let edge: PublicServer;
let url: string;
before(async () => {
  const accounts = serviceMount(AccountService, {
    getAccount: async (req, ctx) => {
      callers.push(ctx.caller);
      return { account: { id: req.accountId } };
    },
    listAccounts: async () => ({}),
    resolveApiKeys: async () => ({}),
  });
  billing = await serveForTest([accounts], { fbx_owner: owner });
  const serve = createConsoleApi({
    clientOf: (service) =>
      service.typeName.startsWith("farebox.payment.")
        ? undefined
        : createGrpcClient(service, { address: billing.address, deadlineMs: 2000 }),
    log: createLogger({ name: "test", level: "silent" }),
    metrics: createMetrics(),
    clock: systemClock,
  });
  edge = createPublicServer(serve);
  url = `http://127.0.0.1:${await listen(edge.server, "127.0.0.1", 0)}`;
});
after(async () => {
  await edge.drain(100);
  await billing[Symbol.asyncDispose]();
});

type Answer = {
  readonly status: number;
  readonly body: { readonly [member: string]: unknown };
  readonly text: string;
};

async function post(
  method: string,
  body: object,
  headers: Record<string, string> = bearer,
): Promise<Answer> {
  const res = await fetch(`${url}/farebox.billing.v1.AccountService/${method}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  const text = await res.text();
  return { status: res.status, body: JSON.parse(text), text };
}

test("a call reaches billing as whoever made it, by either header", async () => {
  for (const headers of [bearer, { "x-api-key": "fbx_owner" }]) {
    const answer = await post("GetAccount", {}, headers);
    assert.equal(answer.status, 200);
    assert.match(answer.text, /"id":"acc_1"/);
    assert.deepEqual(callers.pop(), owner);
  }
});

test("a service token from outside goes nowhere", async () => {
  const token = { "x-service-token": testServiceToken };
  assert.equal((await post("ListAccounts", {}, token)).status, 401);
  assert.equal((await post("ListAccounts", {}, { ...token, ...bearer })).status, 403);
});

test("methods between Farebox's own services are not there at all", async () => {
  const answer = await post("ResolveApiKeys", {}, { "x-service-token": testServiceToken });
  assert.equal(answer.status, 404);
  assert.match(answer.text, /ROUTE_NOT_FOUND/);
});

test("another account is answered as if it did not exist", async () => {
  const answer = await post("GetAccount", { accountId: "acc_2" });
  assert.equal(answer.status, 404);
  assert.match(answer.text, /ACCOUNT_NOT_FOUND/);
});

test("an unknown field and a wrong type are refused by the field's name", async () => {
  for (const [body, field] of [
    [{ acountId: "x" }, "acountId"],
    [{ accountId: 5 }, "account_id"],
  ] as const) {
    const answer = await post("GetAccount", body);
    assert.equal(answer.status, 400);
    assert.ok(answer.text.includes(`"field":"${field}"`), answer.text);
  }
});

test("a refusal by billing keeps its reason, code and facts", async () => {
  await using other = await serveForTest(
    [
      serviceMount(AccountService, {
        getAccount: async () => {
          throw new AppError("ACCOUNT_IN_DEBT", undefined, {
            metadata: { receivable: "3" },
            retryAfterMs: 1500,
          });
        },
      }),
    ],
    { fbx_owner: owner },
  );
  const api = createPublicServer(
    createConsoleApi({
      clientOf: (service) =>
        createGrpcClient(service, { address: other.address, deadlineMs: 2000 }),
      log: createLogger({ name: "test", level: "silent" }),
      metrics: createMetrics(),
      clock: systemClock,
    }),
  );
  const main = url;
  url = `http://127.0.0.1:${await listen(api.server, "127.0.0.1", 0)}`;
  const answer = await post("GetAccount", {});
  url = main;
  await api.drain(100);
  assert.equal(answer.body.code, "resource_exhausted");
  assert.match(
    answer.text,
    /"reason":"ACCOUNT_IN_DEBT","domain":"farebox","metadata":\{"receivable":"3","code":"10010"\}/,
  );
  assert.match(answer.text, /google.rpc.RetryInfo/);
});

test("reads answer to GET, as Connect does for methods without side effects", async () => {
  const query = new URLSearchParams({ message: "{}", encoding: "json", connect: "v1" });
  const res = await fetch(`${url}/farebox.billing.v1.AccountService/GetAccount?${query}`, {
    headers: { authorization: "Bearer fbx_owner" },
  });
  assert.equal(res.status, 200);
});

test("methods of a service that is not configured are refused by name", async () => {
  const res = await fetch(`${url}/farebox.payment.v1.PaymentService/ListPayments`, {
    method: "POST",
    headers: { authorization: "Bearer fbx_owner", "content-type": "application/json" },
    body: "{}",
  });
  assert.equal(res.status, 503);
  assert.match(await res.text(), /"reason":"PAYMENT_UNAVAILABLE"/);
});

test("exactly these methods are for clients of the edge", () => {
  const names = consoleServices.flatMap((service) =>
    service.methods.filter(isForClients).map((method) => `${service.name}.${method.name}`),
  );
  for (const hidden of [
    "AccountService.ResolveApiKeys",
    "AccountService.WatchAccess",
    "CatalogService.WatchCatalog",
    "BillingService.BatchCheckQuota",
    "BillingService.SettleUsage",
    "PaymentService.CreatePayment",
  ]) {
    assert.ok(!names.includes(hidden), hidden);
  }
  for (const shown of [
    "AccountService.GetAccount",
    "BillingService.CheckQuota",
    "BillingService.QuoteUsage",
    "CatalogService.ListPrices",
    "ReportService.ListTransactions",
    "PaymentService.RefundPayment",
    "PaymentOperationsService.ApproveTransfer",
  ]) {
    assert.ok(names.includes(shown), shown);
  }
});

test("gRPC-Web answers over HTTP/1.1, with the same refusals", async () => {
  const transport = createGrpcWebTransport({ baseUrl: url, httpVersion: "1.1" });
  const client = createClient(AccountService, transport);
  const { account } = await client.getAccount({}, { headers: bearer });
  assert.equal(account?.id, "acc_1");
  await assert.rejects(client.getAccount({}), (error) => {
    assert.ok(error instanceof ConnectError);
    assert.equal(error.code, Code.Unauthenticated);
    return true;
  });
});
