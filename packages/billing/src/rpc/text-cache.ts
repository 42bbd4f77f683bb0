import { type ProtoCursor, readLength, textAt } from "./proto-cursor.ts";

/** Texts that come again and again, such as a model's name: made once, and found by their bytes. */
export type TextCache = {
  /** Reads a text at the cursor. */
  read(cursor: ProtoCursor): string;
};

/** Slots; a power of two. Two texts of one slot take turns, so that memory is bounded whatever arrives. */
const slots = 4096;
const lengthMax = 64;

/** Makes an empty cache. */
export function createTextCache(): TextCache {
  const texts = new Array<string>(slots).fill("");
  return {
    read: (cursor) => {
      const length = readLength(cursor);
      const start = cursor.at;
      cursor.at += length;
      if (length === 0) return "";
      if (length > lengthMax) return textAt(cursor.bytes, start, cursor.at);
      const slot = slotOf(cursor.bytes, start, length);
      const known = texts[slot];
      if (known !== undefined && isAt(cursor.bytes, start, length, known)) return known;
      const text = textAt(cursor.bytes, start, cursor.at);
      texts[slot] = text;
      return text;
    },
  };
}

/** By the length and the last bytes, where ids of one kind differ most. */
function slotOf(bytes: Buffer, start: number, length: number): number {
  let hash = length;
  for (let at = Math.max(start, start + length - 8); at < start + length; at += 1) {
    hash = (Math.imul(hash, 31) + (bytes[at] ?? 0)) | 0;
  }
  return (hash ^ (hash >>> 12)) & (slots - 1);
}

/** Whether the bytes spell the text; only ASCII ever does, others are made anew. */
function isAt(bytes: Buffer, start: number, length: number, text: string): boolean {
  if (text.length !== length) return false;
  for (let at = 0; at < length; at += 1) {
    const byte = bytes[start + at] ?? 0;
    if (byte >= 0x80 || byte !== text.charCodeAt(at)) return false;
  }
  return true;
}

/** The same for ids of 16 bytes, read as hex digits: a lease's, or a price's, come with every call they cover. */
export function createHexCache(): TextCache {
  const texts = new Array<string>(slots).fill("");
  const known = new Uint8Array(slots * idLength);
  return {
    read: (cursor) => {
      const length = readLength(cursor);
      const start = cursor.at;
      const { bytes } = cursor;
      cursor.at += length;
      if (length !== idLength) return bytes.toString("hex", start, cursor.at);
      const slot = slotOf(bytes, start, length);
      const from = slot * idLength;
      let isKnown = texts[slot] !== "";
      for (let at = 0; isKnown && at < idLength; at += 1) {
        isKnown = known[from + at] === bytes[start + at];
      }
      if (isKnown) return texts[slot] ?? "";
      const text = bytes.toString("hex", start, cursor.at);
      texts[slot] = text;
      for (let at = 0; at < idLength; at += 1) known[from + at] = bytes[start + at] ?? 0;
      return text;
    },
  };
}

const idLength = 16;
