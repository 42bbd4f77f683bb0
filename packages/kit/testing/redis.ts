import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Redis } from "ioredis";
import { createLogger } from "../src/logger.ts";
import { closeRedis, openRedis } from "../src/redis.ts";

/** A client of REDIS_URL, and a key prefix that no other test file uses. */
export type TestRedis = AsyncDisposable & {
  readonly url: string;
  readonly redis: Redis;
  readonly prefix: string;
};

/** Connects to REDIS_URL. The keys under its prefix are deleted when disposed. */
export async function openTestRedis(): Promise<TestRedis> {
  const url = process.env.REDIS_URL;
  if (url === undefined || url === "") {
    throw new Error("REDIS_URL is not set: run the tests through npm test");
  }
  const log = createLogger({ name: "test", level: "silent" });
  const redis = openRedis({ url, name: "test", log });
  await once(redis, "ready");
  const prefix = `farebox_test_${randomBytes(8).toString("hex")}:`;
  return {
    url,
    redis,
    prefix,
    [Symbol.asyncDispose]: async () => {
      const keys = await redis.keys(`${prefix}*`);
      if (keys.length > 0) await redis.del(...keys);
      await closeRedis(redis);
    },
  };
}
