import { Redis } from "ioredis";
import type { Logger } from "./logger.ts";

/**
 * Opens a Redis client that never repeats a command by itself, never queues while disconnected and never throws at start:
 * commands reject at once while Redis is away, and each loss and return of the connection is logged once.
 *
 * By default ioredis re-sends unanswered commands after a reconnect, which applies a debit twice.
 */
export function openRedis(options: {
  readonly url: string;
  /** Names the connection in logs and in CLIENT LIST. */
  readonly name: string;
  readonly log: Logger;
  /** Every command is given up after this. Default 1000. */
  readonly commandMsMax?: number;
  /** Sends the commands of one turn of the event loop together. For many small independent commands. */
  readonly autoPipeline?: boolean;
}): Redis {
  const { name, log } = options;
  const redis = new Redis(options.url, {
    connectionName: name,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: true,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    commandTimeout: options.commandMsMax ?? 1000,
    connectTimeout: 2000,
    keepAlive: 10_000,
    enableAutoPipelining: options.autoPipeline ?? false,
    retryStrategy: (times) => Math.min(50 * times, 1000),
  });
  let isReady: boolean | undefined;
  redis.on("ready", () => {
    if (isReady !== true) log.info({ event: "redis.connected", name });
    isReady = true;
  });
  redis.on("error", (error) => {
    if (isReady !== false) log.warn({ event: "redis.unavailable", name, err: error });
    isReady = false;
  });
  redis.on("close", () => {
    if (isReady === true) log.warn({ event: "redis.unavailable", name });
    isReady = false;
  });
  return redis;
}

/** Closes a client; commands in flight get at most a second. Never throws. */
export async function closeRedis(redis: Redis): Promise<void> {
  redis.removeAllListeners("close");
  if (redis.status === "ready") {
    let timer: NodeJS.Timeout | undefined;
    const bound = new Promise((resolve) => {
      timer = setTimeout(resolve, 1000);
    });
    await Promise.race([redis.quit().catch(() => undefined), bound]);
    clearTimeout(timer);
  }
  redis.disconnect();
}
