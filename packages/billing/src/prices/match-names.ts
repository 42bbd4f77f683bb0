import type { MatchLogic } from "@pydantic/genai-prices";

/**
 * The names that a rule of the price package matches, as exact names and patterns of ours. A conjunction keeps its first
 * part: the package uses the rest only to exclude names that other rules spell out better, and the pattern that says
 * most wins anyway. Expressions of other forms than the package uses today match nothing, which leaves a model unpriced.
 */
export function namesMatchedBy(match: MatchLogic): readonly string[] {
  if ("or" in match) return match.or.flatMap(namesMatchedBy);
  if ("and" in match) return match.and.slice(0, 1).flatMap(namesMatchedBy);
  if ("equals" in match) return [match.equals];
  if ("starts_with" in match) return [`${match.starts_with}*`];
  if ("ends_with" in match) return [`*${match.ends_with}`];
  if ("contains" in match) return [`*${match.contains}*`];
  return patternOf(match.regex);
}

/** An anchored expression of literals and counted digits as a pattern. */
function patternOf(regex: string): readonly string[] {
  if (!regex.startsWith("^")) return [];
  const open = !regex.endsWith("$");
  const body = regex.slice(1, open ? undefined : -1);
  const pattern = body
    .replace(/\\d\{(\d)\}/g, (_, count: string) => "?".repeat(Number(count)))
    .replaceAll("\\d", "?")
    .replace(/\\([.[\]/-])/g, "$1");
  // What is left of an expression that was more than that.
  if (/[\\^$()|+{}]/.test(pattern)) return [];
  return [open ? `${pattern}*` : pattern];
}
