/**
 * The payloads of a run of whole events, in order: each one's `data` lines joined by LF, without the field name. An event
 * without data (a comment, a ping) has no payload. Bytes are read as UTF-8; a byte order mark at the start is skipped.
 */
export function ssePayloads(events: Buffer): string[] {
  const text = lines(events.toString("utf8"));
  const payloads: string[] = [];
  let data: string | undefined;
  for (let from = 0; from < text.length; ) {
    const found = text.indexOf("\n", from);
    const end = found === -1 ? text.length : found;
    if (end === from) {
      if (data !== undefined) payloads.push(data);
      data = undefined;
    } else if (text.startsWith("data", from)) {
      const value = fieldValue(text, from + 4, end);
      if (value !== undefined) data = data === undefined ? value : `${data}\n${value}`;
    }
    from = end + 1;
  }
  // The last event of a stream may lack the empty line that ends it.
  if (data !== undefined) payloads.push(data);
  return payloads;
}

/** Drops a byte order mark, and makes every line end one LF. */
function lines(text: string): string {
  const marked = text.charCodeAt(0) === byteOrderMark ? text.slice(1) : text;
  return marked.includes("\r") ? marked.replaceAll("\r\n", "\n").replaceAll("\r", "\n") : marked;
}

/** The value behind a field name: after its colon and one space. A name without a colon is a field with no value. */
function fieldValue(text: string, at: number, end: number): string | undefined {
  if (at === end) return "";
  if (text[at] !== ":") return undefined;
  return text.slice(text[at + 1] === " " ? at + 2 : at + 1, end);
}

const byteOrderMark = 0xfeff;
