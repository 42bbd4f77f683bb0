/** Whether an image may be run: one of the patterns matches all of its name, where * stands for any characters. */
export function isImageAllowed(patterns: readonly string[], image: string): boolean {
  return patterns.some((pattern) => matches(pattern.split("*"), image));
}

/** Piece by piece, each as early as it can be: needs no regular expression, and no time beyond the name's length. */
function matches(pieces: readonly string[], image: string): boolean {
  const [first = "", ...rest] = pieces;
  if (!image.startsWith(first)) return false;
  const last = rest.pop();
  if (last === undefined) return image === first;
  let at = first.length;
  for (const piece of rest) {
    const found = image.indexOf(piece, at);
    if (found === -1) return false;
    at = found + piece.length;
  }
  return image.length - last.length >= at && image.endsWith(last);
}
