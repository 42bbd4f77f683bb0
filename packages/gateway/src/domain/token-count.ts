/** A member that should count tokens: its value, undefined when absent or null, or `bad` when it is no count at all. */
export type TokenCount = number | undefined | "bad";

/**
 * Reads a token count: a non-negative safe integer. Absent and null are undefined, never zero, so that an explicit zero
 * stays apart from silence.
 */
function tokenCount(value: unknown): TokenCount {
  if (value === undefined || value === null) return undefined;
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : "bad";
}

/** Reads several counts of one object at once; a string names the first member that is no count. */
export function tokenCounts<K extends string>(
  from: { readonly [key: string]: unknown } | undefined,
  names: readonly K[],
): { readonly [key in K]?: number } | string {
  const counts: { [key in K]?: number } = {};
  if (from === undefined) return counts;
  for (const name of names) {
    const count = tokenCount(from[name]);
    if (count === "bad") return `${name} is not a count`;
    if (count !== undefined) counts[name] = count;
  }
  return counts;
}
