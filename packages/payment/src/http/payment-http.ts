import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { AppError } from "@farebox/kit/app-error";
import { parseId } from "@farebox/kit/ids";
import type { Logger } from "@farebox/kit/logger";
import { reasonAnswer } from "@farebox/kit/reasons";
import type { Payment } from "../domain/payment.ts";
import type { MethodSetup } from "../domain/saved-method.ts";
import { renderPaymentPage, renderSetupPage } from "./return-page.ts";

export type PaymentHttpDeps = {
  readonly log: Logger;
  /** Keeps what a provider told, when it is signed; resolves once it is durable. Errors: WEBHOOK_FORGED, UNAVAILABLE. */
  readonly hearWebhook: (body: Buffer, signature: string) => Promise<void>;
  /** How a payment stands at the provider. Errors: PAYMENT_NOT_FOUND. */
  readonly lookAtPayment: (id: string) => Promise<Payment>;
  /** Likewise for a method that is being saved. Errors: PAYMENT_METHOD_NOT_FOUND. */
  readonly lookAtSetup: (id: string) => Promise<MethodSetup>;
};

/** Stripe's events are some kilobytes; nothing that is larger is read. */
const bodyBytesMax = 512 * 1024;
const requestMsMax = 20_000;

/** Serves what providers and payers reach: `POST /webhooks/stripe` and `GET /return?payment=pay_…` or `?setup=pms_…`. */
export function createPaymentHttp(deps: PaymentHttpDeps): Server {
  const server = createServer((req, res) => {
    route(deps, req, res).catch((error: unknown) => answerError(deps, res, error));
  });
  server.requestTimeout = requestMsMax;
  server.headersTimeout = requestMsMax;
  server.maxHeadersCount = 100;
  return server;
}

async function route(
  deps: PaymentHttpDeps,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const url = new URL(req.url ?? "/", "http://payment");
  if (url.pathname === "/webhooks/stripe") {
    if (req.method !== "POST") return answer(res, 405, "text/plain", "POST only\n");
    const body = await readBody(req);
    if (body === undefined) return answer(res, 413, "text/plain", "too large\n");
    const signature = req.headers["stripe-signature"];
    await deps.hearWebhook(body, typeof signature === "string" ? signature : "");
    return answer(res, 200, "text/plain", "ok\n");
  }
  if (url.pathname === "/return" && req.method === "GET") {
    const page = await renderReturn(deps, url.searchParams);
    if (page === undefined) return answer(res, 404, "text/plain", "no such payment\n");
    return answer(res, 200, "text/html; charset=utf-8", page);
  }
  return answer(res, 404, "text/plain", "not here\n");
}

/** The page that a payer comes back to; undefined when the address names nothing. */
async function renderReturn(
  deps: PaymentHttpDeps,
  query: URLSearchParams,
): Promise<string | undefined> {
  const paymentId = parseId("pay", query.get("payment") ?? "")?.toString("hex");
  if (paymentId !== undefined) return renderPaymentPage(await deps.lookAtPayment(paymentId));
  const setupId = parseId("pms", query.get("setup") ?? "")?.toString("hex");
  return setupId === undefined ? undefined : renderSetupPage(await deps.lookAtSetup(setupId));
}

/** The bytes as they came, which is what is signed; undefined when there are too many. */
async function readBody(req: IncomingMessage): Promise<Buffer | undefined> {
  if (Number(req.headers["content-length"] ?? 0) > bodyBytesMax) return undefined;
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of req) {
    const chunk = Buffer.from(part);
    bytes += chunk.length;
    if (bytes > bodyBytesMax) return undefined;
    parts.push(chunk);
  }
  return Buffer.concat(parts);
}

function answerError({ log }: PaymentHttpDeps, res: ServerResponse, error: unknown): void {
  if (res.headersSent) {
    res.destroy();
    return;
  }
  if (!(error instanceof AppError)) {
    log.error({ event: "payment_http.failed", err: error });
    answer(res, 500, "text/plain", "INTERNAL\n");
    return;
  }
  answer(res, reasonAnswer(error.reason).httpStatus, "text/plain", `${error.reason}\n`);
}

function answer(res: ServerResponse, status: number, type: string, body: string): void {
  res.writeHead(status, {
    "content-type": type,
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    ...(status === 413 ? { connection: "close" } : {}),
  });
  res.end(body);
}
