import type { Dialect } from "./call.ts";

/** What an upstream speaks. OpenRouter speaks OpenAI's dialect and reports what it charged. */
export type UpstreamDialect = "openai" | "anthropic" | "openrouter";

/** A provider that calls are sent to, as the operator's file states it. */
export type Upstream = {
  /** Shown in transactions as the provider. Unique in the file. */
  readonly name: string;
  readonly dialect: UpstreamDialect;
  /** Scheme, host and port, for a connection pool. */
  readonly origin: string;
  /** The path that endpoints are appended to, without a slash at its end, for example `/v1`. */
  readonly basePath: string;
  /** The environment variable that holds the key. Undefined for an upstream that needs none. */
  readonly apiKeyEnv: string | undefined;
  /** Globs of the models it serves, as clients name them. */
  readonly models: readonly string[];
  /** Models it knows by another name: the client's name to its own. */
  readonly rename: ReadonlyMap<string, string>;
  /** The provider whose prices apply. */
  readonly priceProvider: string;
};

/** The client dialect in which an upstream can be called. */
export function clientDialect(upstream: Upstream): Dialect {
  return upstream.dialect === "anthropic" ? "anthropic" : "openai";
}
