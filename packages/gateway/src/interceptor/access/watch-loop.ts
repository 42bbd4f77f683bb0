import type { Clock } from "@farebox/kit/clock";
import type { Logger } from "@farebox/kit/logger";

/** A stream of pushes that is opened anew whenever it ends. */
export type Watch<M> = {
  /** Names it in logs, for example "access". */
  readonly name: string;
  readonly open: () => AsyncIterable<M> & { cancel(): void };
  readonly take: (message: M) => void;
  /** A stream that is silent for longer is given up; its heartbeats are more frequent. */
  readonly silentMsMax: number;
};

/** Follows a watch until the signal aborts: never rejects, waits a little longer after each failure, up to a second. */
export async function followWatch<M>(
  deps: { readonly clock: Clock; readonly log: Logger; readonly signal: AbortSignal },
  watch: Watch<M>,
): Promise<void> {
  const { clock, log, signal } = deps;
  let waitMs = waitMsMin;
  while (!signal.aborted) {
    const stream = watch.open();
    let silence = setTimeout(() => stream.cancel(), watch.silentMsMax);
    const onAbort = () => stream.cancel();
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      for await (const message of stream) {
        clearTimeout(silence);
        silence = setTimeout(() => stream.cancel(), watch.silentMsMax);
        waitMs = waitMsMin;
        watch.take(message);
      }
    } catch (error) {
      if (!signal.aborted) log.warn({ event: "watch.lost", watch: watch.name, err: error });
    } finally {
      clearTimeout(silence);
      signal.removeEventListener("abort", onAbort);
    }
    await clock.sleep(waitMs * (0.5 + Math.random() / 2), signal).catch(() => undefined);
    waitMs = Math.min(waitMs * 2, waitMsMax);
  }
}

const waitMsMin = 50;
const waitMsMax = 1000;
