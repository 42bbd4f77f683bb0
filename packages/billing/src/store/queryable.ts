import type { Pool, PoolConnection } from "@farebox/kit/mysql";

/** Where a statement runs: by itself on the pool, or inside the caller's transaction. */
export type Queryable = Pool | PoolConnection;
