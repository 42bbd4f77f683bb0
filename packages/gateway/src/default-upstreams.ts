import type { Secret } from "@farebox/kit/env";
import { parseUpstreams } from "./domain/parse-upstreams.ts";
import type { Upstream } from "./domain/upstream.ts";

/** What the operator set, when there is no file of upstreams. */
export type UpstreamKeys = {
  readonly openaiKey: Secret | undefined;
  readonly anthropicKey: Secret | undefined;
  readonly openrouterKey: Secret | undefined;
  readonly demoUpstreamUrl: string | undefined;
};

/**
 * The upstreams of an installation without a file of them: each provider whose key is set, and the demo upstream in the place
 * of those whose key is not, at their prices and under a name that says what it is. Throws when there is none at all.
 */
export function defaultUpstreams(keys: UpstreamKeys): readonly Upstream[] {
  const { openaiKey, anthropicKey, openrouterKey, demoUpstreamUrl } = keys;
  const upstreams: object[] = [];
  if (openaiKey !== undefined) upstreams.push(openai);
  if (anthropicKey !== undefined) upstreams.push(anthropic);
  if (openrouterKey !== undefined) upstreams.push(openrouter);
  if (demoUpstreamUrl !== undefined) {
    const base_url = demoUpstreamUrl;
    if (openaiKey === undefined && openrouterKey === undefined) {
      upstreams.push({
        name: "demo-openai",
        dialect: "openai",
        base_url,
        price_provider: "openai",
      });
    }
    if (anthropicKey === undefined) {
      upstreams.push({
        name: "demo-anthropic",
        dialect: "anthropic",
        base_url,
        price_provider: "anthropic",
      });
    }
  }
  if (upstreams.length === 0) {
    throw new Error(
      "there is no upstream: set FAREBOX_UPSTREAMS, OPENAI_API_KEY, ANTHROPIC_API_KEY, OPENROUTER_API_KEY or DEMO_UPSTREAM_URL",
    );
  }
  return parseUpstreams({ upstreams });
}

const openai = {
  name: "openai",
  dialect: "openai",
  base_url: "https://api.openai.com/v1",
  api_key_env: "OPENAI_API_KEY",
  models: ["gpt-*", "chatgpt-*", "o1*", "o3*", "o4*"],
};
const anthropic = {
  name: "anthropic",
  dialect: "anthropic",
  base_url: "https://api.anthropic.com",
  api_key_env: "ANTHROPIC_API_KEY",
  models: ["claude-*"],
};
const openrouter = {
  name: "openrouter",
  dialect: "openrouter",
  base_url: "https://openrouter.ai/api/v1",
  api_key_env: "OPENROUTER_API_KEY",
};
