/** Parameters as they came: texts, and what is nested in brackets. */
export type Params = Readonly<Record<string, unknown>>;

/** What lies at a path; undefined when nothing does. */
export function valueAt(params: unknown, ...path: readonly string[]): unknown {
  let value = params;
  for (const name of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = Reflect.get(value, name);
  }
  return value;
}

/** The text at a path; undefined for anything else. */
export function textAt(params: unknown, ...path: readonly string[]): string | undefined {
  const value = valueAt(params, ...path);
  return typeof value === "string" ? value : undefined;
}

/** What is listed at a path; empty for nothing. */
export function listAt(params: unknown, ...path: readonly string[]): readonly unknown[] {
  const value = valueAt(params, ...path);
  return typeof value === "object" && value !== null ? Object.values(value) : [];
}

/** Texts by name at a path, such as metadata; empty for nothing. */
export function textsAt(params: unknown, ...path: readonly string[]): Record<string, string> {
  const value = valueAt(params, ...path);
  if (typeof value !== "object" || value === null) return {};
  return Object.fromEntries(Object.entries(value).map(([name, text]) => [name, String(text)]));
}
