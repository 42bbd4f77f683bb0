/**
 * Tells, in one pass and without decoding, whether a run of whole events holds anything the gateway must read: a usage that
 * is not null, an error, or an end marker. Nearly every chunk of a stream does not, and passes by at the price of this loop.
 *
 * JSON writes a quote inside a string with a backslash, so what a model says can never be mistaken for a member's name; the
 * worst a strange body can do is to be read for nothing.
 */
export function holdsNews(bytes: Buffer): boolean {
  const length = bytes.length;
  if (isDone(bytes, 0)) return true;
  for (let at = 0; at < length; at++) {
    const byte = bytes[at];
    if (byte === quote) {
      const next = bytes[at + 1];
      if (next === letterU) {
        if (isAt(bytes, at, usageKey) && !isNull(bytes, at + usageKey.length)) return true;
      } else if (next === letterE) {
        if (isAt(bytes, at, errorKey) && !isNull(bytes, at + errorKey.length)) return true;
      } else if (next === letterM && isAt(bytes, at, messageStop)) return true;
    } else if ((byte === lf || byte === cr) && isDone(bytes, at + 1)) return true;
  }
  return false;
}

function isAt(bytes: Buffer, at: number, wanted: Uint8Array): boolean {
  for (let i = 0; i < wanted.length; i++) {
    if (bytes[at + i] !== wanted[i]) return false;
  }
  return true;
}

/** Whether a line is OpenAI's end marker, with or without a space before it. */
function isDone(bytes: Buffer, lineStart: number): boolean {
  if (!isAt(bytes, lineStart, dataField)) return false;
  const value = lineStart + dataField.length;
  return isAt(bytes, bytes[value] === space ? value + 1 : value, doneMark);
}

/** Whether a colon and a null follow, with or without spaces: OpenAI says `"usage":null` in every chunk but the last. */
function isNull(bytes: Buffer, from: number): boolean {
  let at = from;
  while (bytes[at] === space || bytes[at] === colon) at++;
  return bytes[at] === letterN;
}

const dataField = Uint8Array.from(Buffer.from("data:"));
const doneMark = Uint8Array.from(Buffer.from("[DONE]"));
const usageKey = Uint8Array.from(Buffer.from('"usage"'));
const errorKey = Uint8Array.from(Buffer.from('"error"'));
const messageStop = Uint8Array.from(Buffer.from('"message_stop"'));
const quote = 34;
const colon = 58;
const space = 32;
const lf = 10;
const cr = 13;
const letterE = 101;
const letterM = 109;
const letterN = 110;
const letterU = 117;
