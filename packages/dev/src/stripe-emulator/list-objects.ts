import { type Params, textAt } from "./read-params.ts";
import { badParam } from "./stripe-fault.ts";

/** An object and when it was made; items of invoices call it their date. */
export type ListedObject = {
  readonly id: string;
  readonly created?: number;
  readonly date?: number;
};

/** A page of a list, newest first, as Stripe pages: `created`, `limit`, `starting_after`. */
export function listObjects<T extends ListedObject>(
  objects: Iterable<T>,
  params: Params,
  of: { readonly url: string; readonly matches?: (object: T) => boolean },
) {
  const limit = params.limit === undefined ? 10 : Number(params.limit);
  if (!Number.isInteger(limit) || limit < 1 || limit > 100) {
    throw badParam("limit", "It must be from 1 to 100.", "parameter_invalid_integer");
  }
  const created = rangeOf(params.created);
  const all = [...objects]
    .toReversed()
    .filter((it) => created(it.created ?? it.date ?? 0) && (of.matches?.(it) ?? true));
  const after = params.starting_after;
  const from = after === undefined ? 0 : all.findIndex(({ id }) => id === after) + 1;
  if (after !== undefined && from === 0) {
    throw badParam("starting_after", `No such object: '${after}'`, "resource_missing");
  }
  const data = all.slice(from, from + limit);
  return { object: "list", url: of.url, has_more: from + limit < all.length, data };
}

function rangeOf(created: unknown): (seconds: number) => boolean {
  if (created === undefined) return () => true;
  if (typeof created === "string") return (seconds) => seconds === Number(created);
  const [gte, gt, lte, lt] = ["gte", "gt", "lte", "lt"].map((name) => textAt(created, name));
  return (seconds) =>
    (gte === undefined || seconds >= Number(gte)) &&
    (gt === undefined || seconds > Number(gt)) &&
    (lte === undefined || seconds <= Number(lte)) &&
    (lt === undefined || seconds < Number(lt));
}
