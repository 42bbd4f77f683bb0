/**
 * Parses JSON that was cut anywhere: what is complete stands, a text value that was cut keeps what there is of it, and the
 * member that had only begun is left out. Undefined for what does not begin as an object, or is no JSON before the cut.
 */
export function parseCutJson(text: string): unknown {
  const cut = readCut(text.trimStart());
  if (cut === undefined) return undefined;
  try {
    return JSON.parse(cut);
  } catch {
    return undefined;
  }
}

/** The text up to the last place where everything open can be closed, and closed there. */
function readCut(text: string): string | undefined {
  if (!text.startsWith("{")) return undefined;
  /** What closes the objects and lists that are open, outermost first. */
  const closers: string[] = [];
  let wholeEnd = 0;
  /** The last of `{`, `[`, `,` and `:`, which tells a member's name from a text. */
  let mark = "";
  for (let at = 0; at < text.length; at++) {
    const character = text[at] ?? "";
    if (character === '"') {
      const { end, isClosed } = readString(text, at);
      const isName = closers.at(-1) === "}" && mark !== ":";
      if (!isClosed)
        return isName
          ? close(text.slice(0, wholeEnd), closers)
          : close(`${text.slice(0, end)}"`, closers);
      if (!isName) wholeEnd = end;
      at = end - 1;
    } else if (character === "{" || character === "[") {
      closers.push(character === "{" ? "}" : "]");
      wholeEnd = at + 1;
      mark = character;
    } else if (character === "}" || character === "]") {
      closers.pop();
      wholeEnd = at + 1;
    } else if (character === ",") {
      wholeEnd = at;
      mark = character;
    } else if (character === ":") {
      mark = character;
    }
  }
  return close(text.slice(0, wholeEnd), closers);
}

/** Where a string ends; before the cut, and before an escape that was cut, when it was not closed. */
function readString(
  text: string,
  start: number,
): { readonly end: number; readonly isClosed: boolean } {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '"') return { end: at + 1, isClosed: true };
    if (text[at] !== "\\") continue;
    const escapeEnd = at + (text[at + 1] === "u" ? 6 : 2);
    if (escapeEnd > text.length) return { end: at, isClosed: false };
    at = escapeEnd - 1;
  }
  return { end: text.length, isClosed: false };
}

function close(text: string, closers: readonly string[]): string {
  return text + closers.toReversed().join("");
}
