import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { listen } from "@farebox/kit/ops-server";
import { parse } from "qs";
import { answerControl } from "./control-api.ts";
import { openDesk } from "./desk.ts";
import { createEmulatedApi, type EmulatedApi } from "./emulated-api.ts";
import {
  createEmulatedState,
  type EmulatedState,
  emulatedVersion,
  newStripeId,
} from "./emulated-state.ts";
import { createFaultQueue, type FaultQueue } from "./fault-queue.ts";
import { createIdempotent, type Idempotent, type KeptAnswer } from "./idempotent.ts";
import { renderPayPage } from "./pay-page.ts";
import { StripeFault } from "./stripe-fault.ts";
import { openTill, type Till } from "./till.ts";
import { createWebhookSender, type WebhookSender } from "./webhook-sender.ts";

export type StripeEmulatorOptions = {
  /** 0 or left out for any that is free. */
  readonly port?: number;
  readonly secretKey?: string;
  readonly webhookUrl?: string;
  readonly webhookSecret?: string;
};

/** An emulated Stripe that serves. What tests do to it directly is what its control API does over HTTP. */
export type StripeEmulator = AsyncDisposable & {
  readonly url: string;
  readonly secretKey: string;
  readonly webhookSecret: string;
  readonly state: EmulatedState;
  readonly till: Till;
  readonly webhooks: WebhookSender;
  readonly faults: FaultQueue;
  /** Where webhooks go from now on. */
  sendWebhooksTo(url: string): void;
};

/** What the handlers of a request work with. */
export type EmulatorRoom = {
  readonly state: EmulatedState;
  readonly till: Till;
  readonly webhooks: WebhookSender;
  readonly faults: FaultQueue;
  readonly api: EmulatedApi;
  readonly idempotent: Idempotent;
  readonly secretKey: string;
};

const bodyBytesMax = 1024 * 1024;

/** Starts a small Stripe on loopback: see README.md for what it knows. */
export async function openStripeEmulator(
  options: StripeEmulatorOptions = {},
): Promise<StripeEmulator> {
  const secretKey = options.secretKey ?? newStripeId("sk_test");
  const webhookSecret = options.webhookSecret ?? newStripeId("whsec");
  let webhookUrl = options.webhookUrl;
  let url = "";
  const state = createEmulatedState();
  const webhooks = createWebhookSender({ url: () => webhookUrl, secret: webhookSecret });
  const desk = openDesk(state, webhooks.send);
  const till = openTill(desk);
  const faults = createFaultQueue();
  const api = createEmulatedApi(desk, till, () => url);
  const idempotent = createIdempotent(state);
  const room: EmulatorRoom = { state, till, webhooks, faults, api, idempotent, secretKey };
  const server = createServer((req, res) => {
    route(room, req, res).catch((error: unknown) => sendFault(res, error));
  });
  server.requestTimeout = 30_000;
  const port = await listen(server, "127.0.0.1", options.port ?? 0);
  url = `http://127.0.0.1:${port}`;
  return {
    ...{ url, secretKey, webhookSecret, state, till, webhooks, faults },
    sendWebhooksTo: (to) => {
      webhookUrl = to;
    },
    [Symbol.asyncDispose]: async () => {
      webhooks.close();
      await new Promise((closed) => {
        server.close(closed);
        server.closeAllConnections();
      });
    },
  };
}

async function route(room: EmulatorRoom, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const url = new URL(req.url ?? "/", "http://emulator");
  const body = await readText(req);
  const method = req.method ?? "GET";
  if (url.pathname.startsWith("/v1/")) return serveApi(room, { req, res, url, body, method });
  if (url.pathname.startsWith("/_emulator/")) {
    const answer = answerControl(room, method, url.pathname.slice(11), body);
    sendJson(res, 200, answer);
    return;
  }
  const sessionId = /^\/pay\/([^/]+)$/.exec(url.pathname)?.[1];
  if (sessionId !== undefined) return servePage(room, { res, body, method, sessionId });
  sendJson(res, 404, { error: { message: "not here" } });
}

type ApiRequest = {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly url: URL;
  readonly body: string;
  readonly method: string;
};

function serveApi(room: EmulatorRoom, { req, res, url, body, method }: ApiRequest): void {
  requireKey(req, room.secretKey);
  const path = url.pathname.slice(4);
  const fault = room.faults.take(method, path);
  if (fault === "cut_before") {
    res.destroy();
    return;
  }
  if (fault === "429")
    throw new StripeFault(429, {
      type: "invalid_request_error",
      code: "rate_limit",
      message: "Too many requests.",
    });
  if (fault === "500")
    throw new StripeFault(500, { type: "api_error", message: "Something went wrong." });
  const params = parse(method === "GET" ? url.search.slice(1) : body, {
    depth: 10,
    arrayLimit: 200,
  });
  const failure = { type: "api_error", message: "Something went wrong." };
  const work = (): KeptAnswer => {
    const done = room.api(method, path, params);
    return fault === "500_kept" ? { status: 500, body: { error: failure } } : done;
  };
  const key = method === "POST" ? String(req.headers["idempotency-key"] ?? "") : "";
  const { answer, isReplay } = room.idempotent({ key, path, params }, work);
  if (fault === "cut_after") {
    res.destroy();
    return;
  }
  if (fault === "500_after") throw new StripeFault(500, failure);
  res.setHeader("stripe-version", String(req.headers["stripe-version"] ?? emulatedVersion));
  if (key !== "") res.setHeader("idempotency-key", key);
  if (isReplay) res.setHeader("idempotent-replayed", "true");
  sendJson(res, answer.status, answer.body);
}

function requireKey(req: IncomingMessage, secretKey: string): void {
  const given = /^Bearer (.+)$/.exec(req.headers.authorization ?? "")?.[1];
  if (given === secretKey) return;
  throw new StripeFault(401, {
    type: "invalid_request_error",
    message: "Invalid API Key provided.",
  });
}

function servePage(
  room: EmulatorRoom,
  of: {
    readonly res: ServerResponse;
    readonly body: string;
    readonly method: string;
    readonly sessionId: string;
  },
): void {
  const { res, method, sessionId } = of;
  room.till.expireDue();
  const session = room.state.sessions.get(sessionId);
  if (session === undefined) throw new StripeFault(404, { message: "No such page." });
  if (method !== "POST") {
    sendPage(res, 200, renderPayPage(session));
    return;
  }
  const form = new URLSearchParams(of.body);
  const wish = {
    kind: form.get("kind") ?? "card",
    card: form.get("card") ?? "",
    isLate: form.get("late") === "1" && form.get("kind") !== "card",
  };
  try {
    room.till.pay(sessionId, wish);
  } catch (error) {
    if (!(error instanceof StripeFault)) throw error;
    const now = room.state.sessions.get(sessionId) ?? session;
    sendPage(res, 402, renderPayPage(now, error.message));
    return;
  }
  const location = (session.success_url ?? "/").replaceAll("{CHECKOUT_SESSION_ID}", sessionId);
  res.writeHead(303, { location, "cache-control": "no-store" });
  res.end();
}

function sendPage(res: ServerResponse, status: number, page: string): void {
  res.writeHead(status, {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  res.end(page);
}

function sendJson(res: ServerResponse, status: number, body: object): void {
  res.writeHead(status, { "content-type": "application/json", "request-id": newStripeId("req") });
  res.end(JSON.stringify(body));
}

function sendFault(res: ServerResponse, error: unknown): void {
  if (res.headersSent) {
    res.destroy();
    return;
  }
  const isFault = error instanceof StripeFault;
  const body = isFault ? error.body : { type: "api_error", message: String(error) };
  sendJson(res, isFault ? error.status : 500, { error: body });
}

async function readText(req: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of req) {
    bytes += part.length;
    if (bytes > bodyBytesMax) throw new StripeFault(413, { message: "too large" });
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}
