import { type DestinationStream, pino } from "pino";

/** Writes one JSON line an event. Everything passes redaction: keys, prompts and card data never reach the output. */
export type Logger = {
  debug(event: LogEvent): void;
  info(event: LogEvent): void;
  warn(event: LogEvent): void;
  error(event: LogEvent): void;
  /** A logger that adds these fields to every line. */
  child(fields: Readonly<Record<string, unknown>>): Logger;
};

/** An event, not prose: a dotted name and the facts, e.g. `{event: "lease.granted", leaseId}`. `err` takes an Error. */
export type LogEvent = {
  readonly event: string;
  readonly err?: unknown;
  readonly [fact: string]: unknown;
};

export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

/** Opens a logger on standard output, or on `write` (tests). */
export function createLogger(options: {
  readonly name: string;
  readonly level?: LogLevel;
  readonly write?: (line: string) => void;
}): Logger {
  const settings = {
    level: options.level ?? "info",
    base: { service: options.name, pid: process.pid },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const { write } = options;
  const destination: DestinationStream | undefined = write === undefined ? undefined : { write };
  return wrap(
    destination === undefined ? pino(settings) : pino(settings, destination),
    options.level ?? "info",
  );
}

type Sink = ReturnType<typeof pino>;

function wrap(sink: Sink, level: LogLevel): Logger {
  const isDebug = level === "debug";
  return {
    debug: (event) => {
      if (isDebug) sink.debug(redact(event));
    },
    info: (event) => sink.info(redact(event)),
    warn: (event) => sink.warn(redact(event)),
    error: (event) => sink.error(redact(event)),
    child: (fields) => wrap(sink.child(Object(redact(fields))), level),
  };
}

const redacted = "[redacted]";
const depthMax = 8;
const itemsMax = 100;
const charsMax = 4096;

/** Keys whose values never print, compared in lower case without `-` and `_`. */
const secretKeys = new Set([
  "authorization",
  "apikey",
  "xapikey",
  "cookie",
  "setcookie",
  "password",
  "passwd",
  "prompt",
  "prompts",
  "messages",
  "content",
  "contents",
  "completion",
  "cvc",
  "cvv",
  "pan",
]);

/** Texts that are a credential wherever they stand, and the password inside a URL. */
const secretText =
  /\b(?:fbx_|sk-|sk_|rk_|whsec_)[A-Za-z0-9_-]{6,}|\bBearer\s+\S+|(?<=:\/\/[^:/?#\s]*:)[^@/\s]+(?=@)/gi;

/** A copy that is safe to write down: bounded in depth, length and breadth, without secrets. */
function redact(value: unknown, depth = 0): unknown {
  if (typeof value === "string") return redactText(value);
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null) return value;
  if (depth >= depthMax) return "[deep]";
  if (value instanceof Error) return redactError(value, depth);
  if (value instanceof Uint8Array) return `[${value.byteLength} bytes]`;
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Set || value instanceof Map) return redact([...value], depth);
  if (Array.isArray(value)) {
    const items = value.slice(0, itemsMax).map((item) => redact(item, depth + 1));
    if (value.length > itemsMax) items.push(`[${value.length - itemsMax} more]`);
    return items;
  }
  // Secrets print themselves as "[redacted]" through toJSON.
  if ("toJSON" in value && typeof value.toJSON === "function")
    return redact(value.toJSON(), depth + 1);
  const copy: Record<string, unknown> = {};
  for (const [key, part] of Object.entries(value)) {
    copy[key] = isSecretKey(key) && part !== undefined ? redacted : redact(part, depth + 1);
  }
  return copy;
}

function redactError(error: Error, depth: number): Record<string, unknown> {
  return {
    type: error.name,
    message: redactText(error.message),
    ...("code" in error ? { code: redact(error.code, depth + 1) } : {}),
    ...("reason" in error ? { reason: redact(error.reason, depth + 1) } : {}),
    ...(error.stack === undefined ? {} : { stack: redactText(error.stack) }),
    ...(error.cause === undefined ? {} : { cause: redact(error.cause, depth + 1) }),
  };
}

function redactText(text: string): string {
  const bounded = text.length > charsMax ? `${text.slice(0, charsMax)}…` : text;
  return bounded.replace(secretText, redacted);
}

function isSecretKey(key: string): boolean {
  const plain = key.toLowerCase().replaceAll(/[-_]/g, "");
  return (
    secretKeys.has(plain) ||
    plain.endsWith("token") ||
    plain.includes("secret") ||
    plain.includes("password") ||
    plain.startsWith("card")
  );
}
