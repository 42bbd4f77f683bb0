import { IsolationLevel } from "@mikro-orm/core";
import { type EntityManager, type EntitySchema, MikroORM } from "@mikro-orm/mysql";
import { isRetryable, mysqlAppError } from "./mysql.ts";

/** MySQL through MikroORM, for everything but the hot path. */
export type Orm = {
  /** Runs reads with an identity map of their own. UNAVAILABLE when MySQL does not answer. */
  read<T>(fn: (em: EntityManager) => Promise<T>): Promise<T>;
  /**
   * Runs `fn` in one READ COMMITTED transaction. Deadlocks and lock timeouts repeat the whole of it, so it must do nothing
   * but talk to MySQL. UNAVAILABLE when MySQL does not answer: the outcome is then unknown, and the caller repeats.
   */
  write<T>(fn: (em: EntityManager) => Promise<T>): Promise<T>;
  [Symbol.asyncDispose](): Promise<void>;
};

const retriesMax = 5;

/** Opens the mapping of a service's tables. It connects at the first query. */
export function openOrm(options: {
  readonly url: string;
  readonly connectionsMax: number;
  readonly entities: readonly EntitySchema[];
}): Orm {
  const orm = new MikroORM({
    clientUrl: options.url,
    entities: [...options.entities],
    forceUtcTimezone: true,
    pool: { max: options.connectionsMax },
    logger: () => undefined,
  });
  return {
    read: (fn) => unavailableWhenLost(() => fn(orm.em.fork())),
    write: (fn) => unavailableWhenLost(() => repeatWhole(orm.em.fork(), fn)),
    [Symbol.asyncDispose]: () => orm.close(true),
  };
}

async function repeatWhole<T>(
  em: EntityManager,
  fn: (em: EntityManager) => Promise<T>,
): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await em.fork().transactional(fn, { isolationLevel: IsolationLevel.READ_COMMITTED });
    } catch (error) {
      if (attempt >= retriesMax || !isRetryable(error)) throw error;
    }
  }
}

async function unavailableWhenLost<T>(fn: () => Promise<T>): Promise<T> {
  try {
    return await fn();
  } catch (error) {
    throw mysqlAppError(error) ?? error;
  }
}
