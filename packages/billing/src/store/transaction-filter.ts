/** Which transactions are asked for; empty texts and undefined ask for all. */
export type TransactionFilter = {
  readonly accountId: string;
  readonly tenantId: string;
  readonly provider: string;
  readonly userId: string;
  readonly apiKeyId: string;
  readonly model: string;
  /** As the contract numbers it; 0 for every state. */
  readonly state: number;
  readonly requestId: string;
  /** Inclusive. */
  readonly startMs: number | undefined;
  /** Exclusive. */
  readonly endMs: number | undefined;
};

/** The filter as SQL over the columns of a transaction, account apart, and the values that it takes. */
export function conditionsOf(filter: TransactionFilter): {
  readonly sql: string;
  readonly values: readonly unknown[];
} {
  const conditions: string[] = [];
  const values: unknown[] = [];
  const add = (condition: string, value: unknown) => {
    conditions.push(` AND ${condition}`);
    values.push(value);
  };
  if (filter.tenantId !== "") add("t.tenant_id = ?", filter.tenantId);
  if (filter.provider !== "") add("t.provider = ?", filter.provider);
  if (filter.userId !== "") add("t.user_id = ?", filter.userId);
  if (filter.apiKeyId !== "") add("t.api_key_id = ?", filter.apiKeyId);
  if (filter.model !== "") add("t.model = ?", filter.model);
  if (filter.state !== 0) add("t.state = ?", filter.state);
  if (filter.requestId !== "") add("t.request_id = ?", filter.requestId);
  if (filter.startMs !== undefined) add("t.create_time >= ?", new Date(filter.startMs));
  if (filter.endMs !== undefined) add("t.create_time < ?", new Date(filter.endMs));
  return { sql: conditions.join(""), values };
}
