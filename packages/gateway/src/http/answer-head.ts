/**
 * The headers of an upstream's answer that go on to the client, names and values by turns, less those of the connection and
 * of the body's framing, which are ours to set.
 */
export function answerHead(raw: RawHeaders): AnswerHead {
  const passed: string[] = [];
  let contentType = "";
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = textOf(raw[at]).toLowerCase();
    if (dropped.has(name)) continue;
    const value = textOf(raw[at + 1]);
    if (name === "content-type") contentType = value;
    passed.push(name, value);
  }
  return { passed, contentType };
}

/** Raw headers as undici gives them. */
export type RawHeaders = readonly (Buffer | string)[];

export type AnswerHead = {
  /** Names in lower case. The array is the caller's to add to. */
  readonly passed: string[];
  /** Empty when the upstream states none. */
  readonly contentType: string;
};

function textOf(part: Buffer | string | undefined): string {
  if (part === undefined) return "";
  return typeof part === "string" ? part : part.toString("latin1");
}

const dropped = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "content-length",
  "date",
  "set-cookie",
  "x-farebox-cost",
  "x-farebox-request-id",
]);
