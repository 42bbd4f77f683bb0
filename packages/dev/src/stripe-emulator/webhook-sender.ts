import { setTimeout as sleep } from "node:timers/promises";
import Stripe from "stripe";

/** What is done to webhooks on their way, instead of one delivery in order. */
export type WebhookKnobs = {
  /** So many of the next are never sent. */
  drop: number;
  /** Each is sent so many times more. */
  repeat: number;
  /** Each waits so long before it is sent. */
  delayMs: number;
  /** They are sent in reverse, once so many have gathered; 0 sends them as they come. */
  reorder: number;
  /** The API version that they claim; empty for the true one. */
  apiVersion: string;
};

export type WebhookSender = {
  readonly knobs: WebhookKnobs;
  send(event: Stripe.Event): void;
  /** How many are still on their way. */
  pending(): number;
  /** Resolves when none is. */
  drained(): Promise<void>;
  close(): void;
};

const attemptsMax = 4;
const attemptMsMax = 5_000;
const retryMs = 500;
const pendingMax = 100_000;

/** Sends events as Stripe does, signed by Stripe's own function: tried again when the endpoint does not answer 2xx. */
export function createWebhookSender(options: {
  readonly url: () => string | undefined;
  readonly secret: string;
}): WebhookSender {
  const knobs: WebhookKnobs = { drop: 0, repeat: 0, delayMs: 0, reorder: 0, apiVersion: "" };
  const closing = new AbortController();
  const underway = new Set<Promise<void>>();
  const held: Stripe.Event[] = [];
  const dispatch = (event: Stripe.Event) => {
    const url = options.url();
    if (url === undefined || underway.size >= pendingMax) return;
    const version = knobs.apiVersion || event.api_version;
    const payload = JSON.stringify({ ...event, api_version: version });
    for (let copy = 0; copy <= knobs.repeat; copy += 1) {
      const delivery = deliver(
        { url, payload, secret: options.secret, delayMs: knobs.delayMs },
        closing.signal,
      )
        .catch(() => undefined)
        .finally(() => underway.delete(delivery));
      underway.add(delivery);
    }
  };
  return {
    knobs,
    send: (event) => {
      if (knobs.drop > 0) {
        knobs.drop -= 1;
        return;
      }
      held.push(event);
      if (held.length < knobs.reorder) return;
      for (const next of held.splice(0).toReversed()) dispatch(next);
    },
    pending: () => underway.size,
    drained: async () => {
      while (underway.size > 0) await Promise.all(underway);
    },
    close: () => closing.abort(),
  };
}

async function deliver(
  of: {
    readonly url: string;
    readonly payload: string;
    readonly secret: string;
    readonly delayMs: number;
  },
  closing: AbortSignal,
): Promise<void> {
  if (of.delayMs > 0) await sleep(of.delayMs, undefined, { signal: closing });
  for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
    if (await post(of, closing)) return;
    if (attempt < attemptsMax) await sleep(retryMs * attempt, undefined, { signal: closing });
  }
}

async function post(
  {
    url,
    payload,
    secret,
  }: { readonly url: string; readonly payload: string; readonly secret: string },
  closing: AbortSignal,
): Promise<boolean> {
  // Stripe signs by the true time, whatever its test clocks say.
  const signature = new Stripe("sk_test_signs_only").webhooks.generateTestHeaderString({
    payload,
    secret,
  });
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", "stripe-signature": signature },
      body: payload,
      signal: AbortSignal.any([closing, AbortSignal.timeout(attemptMsMax)]),
    });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}
