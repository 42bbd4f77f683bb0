/** Which page of a list is asked for. */
export type PageRequest = {
  /** 0 for the default; more than the most is the most. */
  readonly pageSize: number;
  /** Empty for the first page. */
  readonly pageToken: string;
};

/** A part of a list, and how to ask for the next; empty at the end. */
export type Page<T> = { readonly rows: readonly T[]; readonly nextPageToken: string };

/** Makes a page of at most `limit` rows out of what was read, which is one row more when there is a next page. */
export function cutPage<T>(
  read: readonly T[],
  limit: number,
  tokenAfter: (last: T) => string,
): Page<T> {
  const rows = read.slice(0, limit);
  const last = rows.at(-1);
  const hasNext = read.length > limit && last !== undefined;
  return { rows, nextPageToken: hasNext ? tokenAfter(last) : "" };
}
