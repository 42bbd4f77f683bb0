import {
  comparePatterns,
  isModelPattern,
  matchesModelPattern,
} from "@farebox/pricing/model-pattern";

/**
 * What the catalogue holds for a model, as Billing looks it up too: under its exact name, else under the pattern that says
 * most among those that match, else under the installation's fallback for models that nobody prices. Scans the provider's
 * names when there is no exact one: remember the answer.
 */
export function findPricedName<T>(
  table: ReadonlyMap<string, ReadonlyMap<string, T>>,
  provider: string,
  model: string,
): T | undefined {
  const names = table.get(provider);
  return names?.get(model) ?? findByPattern(names, model) ?? table.get("*")?.get("*");
}

function findByPattern<T>(names: ReadonlyMap<string, T> | undefined, model: string): T | undefined {
  let best: { readonly name: string; readonly found: T } | undefined;
  for (const [name, found] of names ?? []) {
    if (!isModelPattern(name) || !matchesModelPattern(name, model)) continue;
    if (best === undefined || comparePatterns(name, best.name) < 0) best = { name, found };
  }
  return best?.found;
}
