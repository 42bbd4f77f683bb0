import type { Dialect } from "../domain/call.ts";
import { chooseUpstream, type RouteTable } from "../domain/route.ts";

/** A model that has a price, under the name its provider gives it. */
export type PricedModel = {
  readonly provider: string;
  readonly model: string;
  /** Since when it is known, in seconds since 1970; 0 when nobody says. */
  readonly createdSec?: number;
};

/** A model a client may ask for. */
export type ListedModel = {
  readonly id: string;
  /** The upstream that serves it. */
  readonly ownedBy: string;
  readonly createdSec: number;
};

/**
 * Lists what a client of a dialect can call: models with a price whose route leads to an upstream that is charged by that
 * price. What has no price is refused anyway, so it is not offered. Sorted by id, each id once; models the upstream knows
 * by another name are listed under the client's.
 */
export function listModels(
  table: RouteTable,
  dialect: Dialect,
  priced: readonly PricedModel[],
): readonly ListedModel[] {
  const models = new Map<string, ListedModel>();
  const clientNames = renamedModels(table);
  for (const { provider, model, createdSec = 0 } of priced) {
    for (const id of [model, ...(clientNames.get(model) ?? [])]) {
      const route = chooseUpstream(table, { dialect, model: id, forced: undefined });
      if (route?.upstream.priceProvider !== provider || route.upstreamModel !== model) continue;
      models.set(id, { id, ownedBy: route.upstream.name, createdSec });
    }
  }
  return [...models.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** The body of `GET /v1/models`. */
export function modelListBody(dialect: Dialect, models: readonly ListedModel[]): Buffer {
  if (dialect === "openai") return json({ object: "list", data: models.map(openaiModel) });
  return json({
    data: models.map(anthropicModel),
    has_more: false,
    first_id: models.at(0)?.id ?? null,
    last_id: models.at(-1)?.id ?? null,
  });
}

/** The body of `GET /v1/models/{id}`. */
export function modelBody(dialect: Dialect, model: ListedModel): Buffer {
  return json(dialect === "openai" ? openaiModel(model) : anthropicModel(model));
}

function openaiModel({ id, createdSec, ownedBy }: ListedModel): object {
  return { id, object: "model", created: createdSec, owned_by: ownedBy };
}

function anthropicModel({ id, createdSec }: ListedModel): object {
  return { type: "model", id, display_name: id, created_at: isoSeconds(createdSec) };
}

/** RFC 3339, which Anthropic uses; a time nobody knows is the epoch, as in its own documentation. */
function isoSeconds(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}

function renamedModels(table: RouteTable): ReadonlyMap<string, readonly string[]> {
  const names = new Map<string, string[]>();
  for (const { rename } of table.upstreams) {
    for (const [client, upstream] of rename)
      names.set(upstream, [...(names.get(upstream) ?? []), client]);
  }
  return names;
}

function json(value: object): Buffer {
  return Buffer.from(JSON.stringify(value));
}
