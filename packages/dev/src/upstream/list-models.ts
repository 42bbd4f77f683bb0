import type { IncomingHttpHeaders } from "node:http";

/** The models that the demo upstream lists. It answers for any other name as well. */
const demoModels = [
  { id: "gpt-4o-mini", owner: "openai" },
  { id: "gpt-4o", owner: "openai" },
  { id: "gpt-5-mini", owner: "openai" },
  { id: "claude-sonnet-4-5", owner: "anthropic" },
  { id: "claude-haiku-4-5", owner: "anthropic" },
] as const;

const created = "2026-01-01T00:00:00Z";

/** The answer to `GET /v1/models` or `/v1/models/{id}`, in Anthropic's shape for a caller that names its version. */
export function listModels(headers: IncomingHttpHeaders, id: string | undefined): object {
  const isAnthropic = headers["anthropic-version"] !== undefined;
  const shape = isAnthropic ? anthropicModel : openaiModel;
  if (id !== undefined) return shape({ id, owner: "demo" });
  const models = demoModels.filter(({ owner }) => (owner === "anthropic") === isAnthropic);
  return isAnthropic
    ? {
        data: models.map(shape),
        has_more: false,
        first_id: models[0]?.id ?? null,
        last_id: models.at(-1)?.id ?? null,
      }
    : { object: "list", data: models.map(shape) };
}

type Model = { readonly id: string; readonly owner: string };

function openaiModel({ id, owner }: Model): object {
  return { id, object: "model", created: Date.parse(created) / 1_000, owned_by: owner };
}

function anthropicModel({ id }: Model): object {
  return { type: "model", id, display_name: id, created_at: created };
}
