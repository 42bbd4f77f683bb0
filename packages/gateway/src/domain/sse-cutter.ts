/**
 * Where a search for the end of an event stands. An event ends with an empty line; a line ends with LF, CR or CRLF, any of
 * which may be cut in two by the network.
 */
export type SseCutter = {
  /** Nothing of the current line has been seen. */
  lineIsEmpty: boolean;
  /** The last byte seen was a CR, so an LF that follows belongs to it. */
  afterCr: boolean;
};

/** Makes a cutter that stands at the start of an event. */
export function createSseCutter(): SseCutter {
  return { lineIsEmpty: true, afterCr: false };
}

/**
 * Finds the end of the current event in `chunk` at or after `from`: the index behind its empty line, where the next event
 * starts, or -1 when the event goes on in the next chunk. The cutter remembers what it has to.
 */
export function cutSseEvent(cutter: SseCutter, chunk: Buffer, from: number): number {
  let { lineIsEmpty, afterCr } = cutter;
  for (let at = from; at < chunk.length; at++) {
    const byte = chunk[at];
    if (byte !== lf && byte !== cr) {
      lineIsEmpty = false;
      afterCr = false;
      continue;
    }
    if (byte === lf && afterCr) {
      afterCr = false;
      continue;
    }
    afterCr = byte === cr;
    if (!lineIsEmpty) {
      lineIsEmpty = true;
      continue;
    }
    // The LF of a CRLF that ends the event goes with it when it is here; else it is the first byte of the next chunk.
    const takesLf = afterCr && chunk[at + 1] === lf;
    cutter.lineIsEmpty = true;
    cutter.afterCr = afterCr && !takesLf;
    return takesLf ? at + 2 : at + 1;
  }
  cutter.lineIsEmpty = lineIsEmpty;
  cutter.afterCr = afterCr;
  return -1;
}

/**
 * Tells whether a chunk that starts at the start of an event also ends at the end of one, by its last bytes alone. False
 * may mean "look closer": lines that end with a lone CR always do.
 */
export function endsSseEvent(chunk: Buffer): boolean {
  const last = chunk.length - 1;
  if (chunk[last] !== lf) return false;
  return chunk[last - 1] === lf || (chunk[last - 1] === cr && chunk[last - 2] === lf);
}

const lf = 10;
const cr = 13;
