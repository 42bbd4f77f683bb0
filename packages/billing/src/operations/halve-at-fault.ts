import { AppError } from "@farebox/kit/app-error";
import { isConnectionLost } from "@farebox/kit/mysql";

/**
 * Does work on many items at once, and when it fails for a reason that a retry cannot mend, on each half alone, until the item
 * at fault stands alone: `alone` is then asked what becomes of it. One answer per item, in their order. One bad item never
 * stops the others.
 *
 * Throws what is nobody's fault: refusals, a database that does not answer.
 */
export async function halveAtFault<In, Out>(
  items: readonly In[],
  work: {
    readonly together: (items: readonly In[]) => Promise<readonly Out[]>;
    readonly alone: (item: In, error: unknown) => Promise<Out>;
    readonly onHalved?: (itemsCount: number, error: unknown) => void;
  },
): Promise<readonly Out[]> {
  try {
    return await work.together(items);
  } catch (error) {
    if (!isItemsFault(error)) throw error;
    work.onHalved?.(items.length, error);
    const [only] = items;
    if (only === undefined) return [];
    if (items.length === 1) return [await work.alone(only, error)];
    const half = items.length >>> 1;
    const first = await halveAtFault(items.slice(0, half), work);
    return [...first, ...(await halveAtFault(items.slice(half), work))];
  }
}

/** What the server says of values that do not fit: too many bytes, too large, not text, against a CHECK. */
const valueErrnos = new Set([1048, 1062, 1153, 1264, 1292, 1366, 1406, 1690, 3819, 4025]);

/** Whether an item is to blame, and not the database or the way to it. */
function isItemsFault(error: unknown): boolean {
  if (error instanceof AppError || isConnectionLost(error)) return false;
  if (!(error instanceof Error) || !("errno" in error)) return true;
  return typeof error.errno === "number" && valueErrnos.has(error.errno);
}
