import assert from "node:assert/strict";
import { test } from "node:test";
import { EchoService } from "../testing/echo-service.ts";
import { serveForTest } from "../testing/rpc.ts";
import { AppError } from "./app-error.ts";
import { createLogger } from "./logger.ts";
import { createMetrics } from "./metrics.ts";
import { serviceMount } from "./service-mount.ts";

type Line = Readonly<Record<string, unknown>>;

/** Serves one method that throws what it is told to, and keeps what is logged and measured. */
async function serveFailing(thrown: () => unknown) {
  const lines: Line[] = [];
  const metrics = createMetrics();
  const requestIds: string[] = [];
  const mount = serviceMount(EchoService, {
    echo: async (req, ctx) => {
      requestIds.push(ctx.requestId);
      if (req.text === "ok") return req;
      throw thrown();
    },
  });
  const server = await serveForTest(
    [mount],
    {},
    {
      metrics,
      log: createLogger({ name: "test", write: (line) => lines.push(JSON.parse(line)) }),
      translateError: (error) =>
        error instanceof RangeError
          ? new AppError("UNAVAILABLE", undefined, { cause: error })
          : undefined,
    },
  );
  return { server, lines, metrics, requestIds };
}

test("a failed call is one line with its reason and request id; a good one is none", async () => {
  const { server, lines, requestIds } = await serveFailing(
    () => new AppError("INSUFFICIENT_BALANCE", undefined, { metadata: { available: "0.5" } }),
  );
  await using _ = server;
  const client = server.client(EchoService);
  const metadata = { "x-request-id": "req-1" };
  await client.echo({ text: "ok" }, { metadata });
  await assert.rejects(client.echo({}, { metadata }));
  assert.equal(lines.length, 1);
  const [{ event, level, method, requestId, code, reason, available } = {}] = lines;
  assert.deepEqual(
    { event, level, method, requestId, code, reason, available },
    {
      event: "rpc.failed",
      level: "info",
      method: "farebox.test.v1.EchoService/Echo",
      requestId: "req-1",
      code: "RESOURCE_EXHAUSTED",
      reason: "INSUFFICIENT_BALANCE",
      available: "0.5",
    },
  );
  assert.deepEqual(requestIds, ["req-1", "req-1"]);
});

test("a bug is logged as an error with its stack, under the request id it was answered with", async () => {
  const { server, lines, requestIds } = await serveFailing(() => new TypeError("x is not y"));
  await using _ = server;
  await assert.rejects(server.client(EchoService).echo({}), { reason: "INTERNAL" });
  assert.equal(lines[0]?.level, "error");
  assert.match(JSON.stringify(lines[0]?.err), /x is not y/);
  assert.equal(lines[0]?.requestId, requestIds[0]);
  assert.match(requestIds[0] ?? "", /^[0-9a-f]{8}-[0-9a-f]{4}-7/);
});

test("a request id that is long or unprintable is replaced", async () => {
  const { server, requestIds } = await serveFailing(() => undefined);
  await using _ = server;
  const client = server.client(EchoService);
  await client.echo({ text: "ok" }, { metadata: { "x-request-id": "x".repeat(129) } });
  await client.echo({ text: "ok" }, { metadata: { "x-request-id": "a b" } });
  assert(requestIds.every((id) => /^[0-9a-f-]{36}$/.test(id)));
});

test("an error that a library throws for a dependency that is away is translated", async () => {
  const { server, lines } = await serveFailing(() => new RangeError("gone"));
  await using _ = server;
  await assert.rejects(server.client(EchoService).echo({}), { reason: "UNAVAILABLE" });
  assert.equal(lines[0]?.level, "warn");
});

test("durations are counted by method and canonical code", async () => {
  const { server, metrics } = await serveFailing(() => new AppError("INSUFFICIENT_BALANCE"));
  await using _ = server;
  const client = server.client(EchoService);
  await client.echo({ text: "ok" });
  await assert.rejects(client.echo({}));
  const text = await metrics.registry.metrics();
  for (const code of ["OK", "RESOURCE_EXHAUSTED"]) {
    assert.match(
      text,
      new RegExp(
        `_count\\{service="farebox.test.v1.EchoService",method="Echo",code="${code}"\\} 1`,
      ),
    );
  }
});
