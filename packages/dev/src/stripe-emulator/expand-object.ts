import type { EmulatedState } from "./emulated-state.ts";

type Json = Readonly<Record<string, unknown>>;

/** Replaces ids by the objects that they name, along paths such as "payment_intent.latest_charge". Unknown fields stay. */
export function expandObject(
  state: EmulatedState,
  object: object,
  paths: readonly string[],
): object {
  let expanded: Json = { ...object };
  for (const path of paths) expanded = expandPath(state, expanded, path.split("."));
  return expanded;
}

function expandPath(
  state: EmulatedState,
  object: Json,
  [field = "", ...rest]: readonly string[],
): Json {
  const value = object[field];
  const found = typeof value === "string" ? byId(state, value) : value;
  if (typeof found !== "object" || found === null) return object;
  const inner: Json = { ...found };
  return { ...object, [field]: rest.length === 0 ? inner : expandPath(state, inner, rest) };
}

function byId(state: EmulatedState, id: string): object | undefined {
  const kinds = [
    ...[state.intents, state.charges, state.refunds, state.disputes, state.sessions],
    ...[state.customers, state.methods, state.setupIntents, state.products, state.prices],
    ...[state.subscriptions, state.invoices],
  ];
  for (const kind of kinds) {
    const found = kind.get(id);
    if (found !== undefined) return found;
  }
  return undefined;
}
