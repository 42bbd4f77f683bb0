import { fieldRefusal } from "./field-refusal.ts";
import { readTags } from "./read-tags.ts";

/** What the headers of a call say to the gateway, and those that go on to the upstream. */
export type CallHead = {
  /** The API key as it came; undefined when there is none. */
  readonly key: string | undefined;
  /** The client's own x-request-id, to be claimed; undefined when it sent none. */
  readonly requestId: string | undefined;
  /** "key=value", at most 16. */
  readonly tags: readonly string[];
  /** The upstream that the client insists on. */
  readonly upstreamName: string | undefined;
  readonly acceptLanguage: string | undefined;
  /** Names and values by turns, as they came: everything that is not ours, the connection's, or a credential. */
  readonly passed: string[];
};

/**
 * Reads a call's headers in one pass over Node's raw list. Throws INVALID_ARGUMENT naming the header for a request id or tag
 * that is not usable.
 */
export function readHead(raw: readonly string[]): CallHead {
  const head: MutableHead = {
    key: undefined,
    requestId: undefined,
    tags: noTags,
    upstreamName: undefined,
    acceptLanguage: undefined,
    passed: [],
  };
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] ?? "";
    const value = raw[at + 1] ?? "";
    const use = useOf(name);
    if (use === "pass") head.passed.push(name, value);
    else if (use !== "drop") take(head, use, value);
  }
  return head;
}

type MutableHead = { -readonly [K in keyof CallHead]: CallHead[K] };
type Use =
  | "pass"
  | "drop"
  | "bearer"
  | "key"
  | "requestId"
  | "tag"
  | "upstream"
  | "language"
  | "connection";

function take(head: MutableHead, use: Use, value: string): void {
  switch (use) {
    case "bearer":
      // An empty one says nothing: some clients send it beside x-api-key.
      if (value !== "") head.key ??= bearerOf(value);
      return;
    case "key":
      head.key ??= value;
      return;
    case "requestId":
      head.requestId = requestIdOf(value);
      head.passed.push("x-request-id", value);
      return;
    case "tag":
      head.tags = readTags(head.tags, value);
      return;
    case "upstream":
      head.upstreamName = value;
      return;
    case "language":
      head.acceptLanguage = value;
      head.passed.push("accept-language", value);
      return;
    case "connection":
      refuseHidden(value);
  }
}

/** What follows "Bearer"; another scheme is a key that nobody has. */
function bearerOf(value: string): string {
  const isBearer = value.length > 7 && value.slice(0, 7).toLowerCase() === "bearer ";
  return isBearer ? value.slice(7).trim() : "";
}

function requestIdOf(value: string): string {
  if (/^[\x20-\x7e]{1,128}$/.test(value)) return value;
  throw fieldRefusal("x-request-id", "must have 1 to 128 printable ASCII characters");
}

/** A connection header may name others as hop-by-hop; a client that hides an end-to-end header so is up to no good. */
function refuseHidden(value: string): void {
  for (const token of value.toLowerCase().split(",")) {
    const name = token.trim();
    if (name !== "" && name !== "close" && name !== "upgrade" && useOf(name) === "pass") {
      throw fieldRefusal("connection", `must not name ${name.slice(0, 64)}`);
    }
  }
}

/** Spellings of names seen so far. Clients choose them, so the cache starts again when it is full. */
const uses = new Map<string, Use>();
const usesMax = 1024;

function useOf(name: string): Use {
  const known = uses.get(name);
  if (known !== undefined) return known;
  const use = classify(name.toLowerCase());
  if (uses.size >= usesMax) uses.clear();
  uses.set(name, use);
  return use;
}

function classify(name: string): Use {
  const own = ownHeaders.get(name);
  if (own !== undefined) return own;
  return droppedPrefixes.some((prefix) => name.startsWith(prefix)) ? "drop" : "pass";
}

const noTags: readonly string[] = Object.freeze([]);
const droppedPrefixes = ["x-farebox-", "x-forwarded-", "proxy-", "sec-fetch-"];
const ownHeaders: ReadonlyMap<string, Use> = new Map<string, Use>([
  ["authorization", "bearer"],
  ["x-api-key", "key"],
  ["x-request-id", "requestId"],
  ["x-farebox-tag", "tag"],
  ["x-farebox-upstream", "upstream"],
  ["accept-language", "language"],
  ["connection", "connection"],
  ["keep-alive", "drop"],
  ["te", "drop"],
  ["trailer", "drop"],
  ["transfer-encoding", "drop"],
  ["upgrade", "drop"],
  ["expect", "drop"],
  ["host", "drop"],
  ["content-length", "drop"],
  ["accept-encoding", "drop"],
  ["cookie", "drop"],
  ["origin", "drop"],
  ["referer", "drop"],
  ["forwarded", "drop"],
  ["x-real-ip", "drop"],
  ["x-service-token", "drop"],
]);
