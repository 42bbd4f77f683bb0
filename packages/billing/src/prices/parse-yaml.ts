import { isScalar, parseDocument, visit } from "yaml";

/** Fields that hold whole numbers; every other number in our files is a decimal. */
const counts: ReadonlySet<string> = new Set([
  "context_tokens",
  "max_output_tokens",
  "above_input_tokens",
  "amount",
]);

/**
 * Reads YAML, keeping decimals as they are written: `0.15` without quotes is the text "0.15", never a float. Throws an
 * Error that says where the text is not YAML.
 */
export function parseYaml(text: string): unknown {
  const document = parseDocument(text, { version: "1.2", schema: "core", uniqueKeys: true });
  const [fault] = document.errors;
  if (fault) throw new Error(fault.message);
  visit(document, {
    Pair(_, pair) {
      const { key, value } = pair;
      if (!isScalar(key) || !isScalar(value) || typeof value.value !== "number") return;
      if (!counts.has(String(key.value)) && value.source !== undefined) value.value = value.source;
    },
  });
  return document.toJS({ maxAliasCount: 100 });
}
