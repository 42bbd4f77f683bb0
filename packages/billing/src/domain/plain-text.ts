/** Whether a text is an account's id: 1 to 64 of `A-Z a-z 0-9 _ . : -`. */
export function isAccountId(text: string): boolean {
  return text.length > 0 && text.length <= 64 && consistsOf(text, accountIdChars);
}

/** Whether a text names a service: 1 to 64 of `a-z 0-9 _ . -`. */
export function isServiceName(text: string): boolean {
  return text.length > 0 && text.length <= 64 && consistsOf(text, serviceChars);
}

/**
 * Whether a text can name a request for ever: 1 to 128 printable ASCII characters, the last of them no space, because
 * MySQL takes texts that differ by trailing spaces for one key.
 */
export function isRequestId(text: string): boolean {
  return text !== "" && !text.endsWith(" ") && isPrintable(text, 128);
}

/** Whether a text has at most so many characters, all of them printable ASCII. The empty text has. */
export function isPrintable(text: string, lengthMax: number): boolean {
  if (text.length > lengthMax) return false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code < 0x20 || code > 0x7e) return false;
  }
  return true;
}

/** A table of the characters below 128 that a text may consist of. */
type CharTable = Uint8Array;

const lower = "abcdefghijklmnopqrstuvwxyz";
const serviceChars = charTable(`${lower}0123456789_.-`);
const accountIdChars = charTable(`${lower}${lower.toUpperCase()}0123456789_.:-`);

function charTable(chars: string): CharTable {
  const table = new Uint8Array(128);
  for (const char of chars) table[char.charCodeAt(0)] = 1;
  return table;
}

function consistsOf(text: string, table: CharTable): boolean {
  for (let at = 0; at < text.length; at += 1) {
    if (table[text.charCodeAt(at)] !== 1) return false;
  }
  return true;
}
