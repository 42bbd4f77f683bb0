/** redlock 5.0.0-beta.2 ships types that its `exports` map hides; this states the part that `lock.ts` uses. */
import type { EventEmitter } from "node:events";
import type { Redis } from "ioredis";

export interface Settings {
  readonly driftFactor: number;
  readonly retryCount: number;
  readonly retryDelay: number;
  readonly retryJitter: number;
  readonly automaticExtensionThreshold: number;
}

export class Lock {
  readonly resources: string[];
  readonly value: string;
  expiration: number;
  release(): Promise<unknown>;
  extend(durationMs: number): Promise<Lock>;
}

/** One server's refusal because somebody else holds the key. */
export class ResourceLockedError extends Error {}

/** No quorum; `attempts` settle when every server has voted. */
export class ExecutionError extends Error {
  readonly attempts: readonly Promise<{ readonly votesAgainst: ReadonlyMap<unknown, Error> }>[];
}

declare class Redlock extends EventEmitter {
  constructor(clients: Iterable<Redis>, settings?: Partial<Settings>);
  acquire(resources: string[], durationMs: number, settings?: Partial<Settings>): Promise<Lock>;
  release(lock: Lock, settings?: Partial<Settings>): Promise<unknown>;
  quit(): Promise<void>;
}

export default Redlock;
