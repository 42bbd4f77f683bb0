import type { SessionKey } from "../store/session-store.ts";

/** The settlement streams of this process, one a gateway: the newest boot's. */
export type SettleStreams = {
  /** Enters a stream, and ends the older one of the same gateway; the entered one is ended when a newer is already there. */
  enter(session: SessionKey): SettleStream;
};

/** One stream's place; given up when disposed. */
export type SettleStream = Disposable & {
  readonly session: SessionKey;
  /** Aborts when another boot has taken over, here or, once noticed, in another process. */
  readonly stale: AbortSignal;
  /** Ends the stream as stale. */
  end(): void;
};

/** Makes the list of one process, empty. */
export function createSettleStreams(): SettleStreams {
  const byGateway = new Map<string, SettleStream>();
  return {
    enter: (session) => {
      const key = Buffer.from(session.gatewayId).toString("hex");
      const controller = new AbortController();
      const stream: SettleStream = {
        session,
        stale: controller.signal,
        end: () => controller.abort(),
        [Symbol.dispose]: () => {
          if (byGateway.get(key) === stream) byGateway.delete(key);
        },
      };
      const other = byGateway.get(key);
      if (other !== undefined && other.session.epoch > session.epoch) {
        stream.end();
        return stream;
      }
      other?.end();
      byGateway.set(key, stream);
      return stream;
    },
  };
}
