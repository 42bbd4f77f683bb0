const pageSizeDefault = 50;
const pageSizeMax = 500;

/** How many rows a page holds: 50 unless something else is asked for, never more than 500. */
export function pageSizeOf(requested: number): number {
  return requested === 0 ? pageSizeDefault : Math.min(requested, pageSizeMax);
}
