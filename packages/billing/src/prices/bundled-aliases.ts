import { isModelPattern } from "@farebox/pricing/model-pattern";
import { calcPrice, findProvider, type ModelInfo, type Provider } from "@pydantic/genai-prices";
import type { ModelAlias } from "../domain/price-book.ts";
import { namesMatchedBy } from "./match-names.ts";

/**
 * A provider's models by every name that the price package knows, and those of the providers that it falls back to. Exact
 * names go to the model that the package itself takes them for.
 */
export function bundledAliases(
  provider: Provider,
  providers: readonly Provider[],
): readonly ModelAlias[] {
  const aliases = new Map<string, ModelAlias>();
  for (const modelProvider of [provider.id, ...(provider.fallback_model_providers ?? [])]) {
    const models = providers.find((it) => it.id === modelProvider)?.models ?? [];
    for (const { id, match } of models) {
      for (const name of [...namesMatchedBy(match), id]) {
        const target = isModelPattern(name)
          ? { modelProvider, model: id }
          : modelNamed(provider.id, name);
        const isOwnName = target?.modelProvider === provider.id && target.model === name;
        // The package takes the first model that matches, and so do patterns that are spelled alike.
        if (!target || isOwnName || aliases.has(name)) continue;
        aliases.set(name, { provider: provider.id, name, ...target });
      }
    }
  }
  return [...aliases.values()];
}

/** The model that the package itself takes an exact name for. */
function modelNamed(providerId: string, name: string) {
  const found = calcPrice({}, name, { providerId });
  if (!found) return undefined;
  const { model, provider } = found;
  // A model that the provider falls back to is found in its list, but reported under the provider that was asked.
  const isOwn = provider.models.some((it) => it.id === model.id);
  const owner = isOwn ? provider.id : findOwner(provider, model);
  return owner === undefined ? undefined : { modelProvider: owner, model: model.id };
}

function findOwner(provider: Provider, model: ModelInfo): string | undefined {
  return provider.fallback_model_providers?.find((providerId) =>
    findProvider({ providerId })?.models.some((it) => it.id === model.id),
  );
}
