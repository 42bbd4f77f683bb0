const literals =
  /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\[\s\S])*`/g;

/** A source without comments and template texts, where an import is only talked about. */
export function stripProse(source: string): string {
  return source.replace(literals, (found) => (/^[/`]/.test(found) ? lineBreaks(found) : found));
}

/** A source without comments and without what its strings say: what is left is code. */
export function stripLiterals(source: string): string {
  return source.replace(literals, (found) =>
    found.startsWith("/") ? lineBreaks(found) : `""${lineBreaks(found)}`,
  );
}

function lineBreaks(text: string): string {
  return "\n".repeat(text.split("\n").length - 1);
}
