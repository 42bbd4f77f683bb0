/** A database server of our own: where it is, and power over its life. */
export type DatabaseServer = AsyncDisposable & {
  readonly name: "mariadb" | "redis";
  readonly url: string;
  readonly port: number;
  /** Undefined while it is down, and always in a container. */
  pid(): number | undefined;
  /** Ends it (or waits for its restart, when it was killed) and returns when it serves again on the same port. */
  restart(): Promise<void>;
  /** Stops it gracefully and for good; its files stay. */
  stop(): Promise<void>;
};
