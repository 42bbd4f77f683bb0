import { AppError } from "@farebox/kit/app-error";

/**
 * Waits for work that may never end, because its connection is dead and nobody knows: UNAVAILABLE after the time. The
 * caller then closes the connection; what the work still does is of no account.
 */
export async function withinDeadline<T>(work: Promise<T>, msMax: number): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new AppError("UNAVAILABLE", undefined, { cause: `took over ${msMax} ms` })),
    msMax,
  );
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
