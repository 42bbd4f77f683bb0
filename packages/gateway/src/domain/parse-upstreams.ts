import { isJsonObject, type JsonObject } from "./json-value.ts";
import type { Upstream, UpstreamDialect } from "./upstream.ts";

/** The upstreams file is not valid. Names every fault, so that one reading mends them all. */
export class UpstreamsError extends Error {
  override readonly name = "UpstreamsError";
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`The upstreams file is not valid:\n${faults.map((fault) => `- ${fault}`).join("\n")}`);
    this.faults = faults;
  }
}

/**
 * Reads the operator's upstreams from the parsed YAML file. Order is kept: it decides which upstream serves a model that
 * several name. Unknown members are faults, because a misspelt one would be ignored in silence. Throws `UpstreamsError`.
 */
export function parseUpstreams(document: unknown): readonly Upstream[] {
  const faults: string[] = [];
  const listed = isJsonObject(document) ? document.upstreams : undefined;
  if (!Array.isArray(listed) || listed.length === 0) {
    throw new UpstreamsError(["upstreams: must be a list with at least one upstream"]);
  }
  const upstreams = listed.map((entry, at) => parseUpstream(entry, `upstreams[${at}]`, faults));
  const names = new Set<string>();
  for (const { name } of upstreams) {
    if (name !== "" && names.has(name)) faults.push(`upstreams: the name "${name}" is used twice`);
    names.add(name);
  }
  if (faults.length > 0) throw new UpstreamsError(faults);
  return Object.freeze(upstreams);
}

function parseUpstream(entry: unknown, path: string, faults: string[]): Upstream {
  const fields = isJsonObject(entry) ? entry : {};
  if (!isJsonObject(entry)) faults.push(`${path}: must be a map`);
  for (const key of Object.keys(fields)) {
    if (!members.has(key)) faults.push(`${path}.${key}: is not known`);
  }
  const fault = (key: string, message: string) => faults.push(`${path}.${key}: ${message}`);
  const name = text(fields, "name", namePattern, fault) ?? "";
  const dialect = parseDialect(fields.dialect, fault);
  const base = parseBase(fields.base_url, dialect, fault);
  return Object.freeze({
    name,
    dialect,
    ...base,
    apiKeyEnv:
      fields.api_key_env === undefined ? undefined : text(fields, "api_key_env", envPattern, fault),
    models: parseModels(fields.models, fault),
    rename: parseRename(fields.rename, fault),
    priceProvider:
      fields.price_provider === undefined
        ? name
        : (text(fields, "price_provider", namePattern, fault) ?? ""),
  });
}

type Fault = (key: string, message: string) => void;

function text(fields: JsonObject, key: string, pattern: RegExp, fault: Fault): string | undefined {
  const value = fields[key];
  if (typeof value === "string" && pattern.test(value)) return value;
  fault(key, value === undefined ? "is missing" : `must match ${pattern.source}`);
  return undefined;
}

function parseDialect(value: unknown, fault: Fault): UpstreamDialect {
  if (value === "openai" || value === "anthropic" || value === "openrouter") return value;
  fault(
    "dialect",
    value === "vertex"
      ? "vertex is not served by this release; use openai, anthropic or openrouter"
      : "must be openai, anthropic or openrouter",
  );
  return "openai";
}

/**
 * Takes a base URL apart. A bare host means `/v1`, as in the providers' own documentation; the Anthropic SDK's base URL has
 * no version in it, so there it is added whenever it is not the last part.
 */
function parseBase(
  value: unknown,
  dialect: UpstreamDialect,
  fault: Fault,
): Pick<Upstream, "origin" | "basePath"> {
  const url = typeof value === "string" ? URL.parse(value) : null;
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    fault("base_url", "must be an http or https URL");
    return { origin: "", basePath: "" };
  }
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    fault("base_url", "must have no credentials, query or fragment; keys belong in api_key_env");
  }
  const path = url.pathname.replace(/\/+$/, "");
  const isVersionMissing = dialect === "anthropic" ? !path.endsWith("/v1") : path === "";
  return { origin: url.origin, basePath: isVersionMissing ? `${path}/v1` : path };
}

function parseModels(value: unknown, fault: Fault): readonly string[] {
  if (value === undefined) return ["*"];
  const patterns: readonly unknown[] = Array.isArray(value) ? value : [];
  const models = patterns.filter((it) => typeof it === "string" && it !== "" && it.length <= 256);
  if (models.length === 0 || models.length !== patterns.length) {
    fault("models", "must be a list of model names, in which * and ? are wildcards");
  }
  return Object.freeze(models.map(String));
}

function parseRename(value: unknown, fault: Fault): ReadonlyMap<string, string> {
  const renamed = new Map<string, string>();
  if (value === undefined) return renamed;
  if (!isJsonObject(value)) fault("rename", "must be a map from model name to model name");
  else {
    for (const [from, to] of Object.entries(value)) {
      if (typeof to === "string" && to !== "" && to.length <= 256) renamed.set(from, to);
      else fault(`rename.${from}`, "must be a model name");
    }
  }
  return renamed;
}

const members = new Set([
  "name",
  "dialect",
  "base_url",
  "api_key_env",
  "models",
  "rename",
  "price_provider",
]);
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const envPattern = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;
