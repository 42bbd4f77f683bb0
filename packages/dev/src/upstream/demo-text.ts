// Each word with its leading space is one token in the common vocabularies, so that a tokenizer that counts what was
// delivered comes to about what the usage says. None needs escaping in JSON.
const words = " one day the old man went down to the sea and saw that it was good".split(/(?= )/);
const cycle = words.join("");
const starts = words.map((_, i) => words.slice(0, i).join("").length);
const tokensMax = 1_000_000;

let text = cycle.repeat(64);

/** Tokens `from` (inclusive) to `to` (exclusive) of the text that every demo answer begins with; at most a million. */
export function demoText(from: number, to: number): string {
  const end = offset(Math.min(to, tokensMax));
  if (end > text.length) text = cycle.repeat(Math.ceil(end / cycle.length));
  return text.slice(offset(from), end);
}

/** How many tokens come before the first of these stop sequences, or undefined when none occurs within `tokens`. */
export function tokensBeforeStop(stops: readonly string[], tokens: number): number | undefined {
  const all = demoText(0, tokens);
  const found = stops.map((stop) => all.indexOf(stop)).filter((at) => at >= 0);
  if (found.length === 0) return undefined;
  const at = Math.min(...found);
  let before = 0;
  while (offset(before + 1) <= at) before++;
  return before;
}

function offset(token: number): number {
  const rest = token % words.length;
  return ((token - rest) / words.length) * cycle.length + (starts[rest] ?? 0);
}
