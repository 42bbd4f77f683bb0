/**
 * How many keys one IN list may have. From 1000 on MariaDB makes a table of the list and joins it, in whatever order and
 * with whatever locks it likes; below, it visits the keys one by one.
 */
const chunkMax = 900;

/** Whether a list makes one statement. */
export function isOneChunk(keys: readonly unknown[]): boolean {
  return keys.length <= chunkMax;
}

/** Cuts a list of keys for statements with an IN list. Locks are taken in order when the list is in order. */
export function* inChunks<T>(keys: readonly T[]): Generator<readonly T[]> {
  for (let start = 0; start < keys.length; start += chunkMax) {
    yield keys.length <= chunkMax ? keys : keys.slice(start, start + chunkMax);
  }
}
