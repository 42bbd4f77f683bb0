import type { DescService } from "@bufbuild/protobuf";
import { createGrpcClient, type GrpcClient } from "@farebox/kit/grpc-client";
import { createLogger } from "@farebox/kit/logger";
import type { Pool } from "@farebox/kit/mysql";
import { openTestDatabase } from "@farebox/kit/testing/mysql";
import { AccountService } from "@farebox/proto/farebox/billing/v1/account_service";
import { readConfig } from "../src/config.ts";
import { migrate } from "../src/migrate.ts";
import { startBilling } from "../src/start.ts";

/** A whole billing process on a database of its own, and clients of it. */
export type BillingUnderTest = AsyncDisposable & {
  readonly pool: Pool;
  readonly databaseUrl: string;
  readonly address: string;
  readonly opsUrl: string;
  /** With the service token, or with an API key; "" presents no credential at all. */
  client<S extends DescService>(service: S, key?: string): GrpcClient<S>;
};

export const serviceToken = "a-service-token-for-tests";

/** What a billing process is started with in tests, less its database. */
export const testEnv = {
  SERVICE_TOKENS: serviceToken,
  API_KEY_PEPPER: "a-pepper-for-tests-only",
  BILLING_PORT: "0",
  BILLING_OPS_PORT: "0",
  LOG_LEVEL: "silent",
  MYSQL_CONNECTIONS: "8",
  // Whatever a test pulls, it pulls from itself.
  OPENROUTER_MODELS_URL: "http://127.0.0.1:9/models",
} as const;

/** Starts billing on a fresh database; both go with the disposal. */
export async function startBillingForTest(
  env: Readonly<Record<string, string>> = {},
): Promise<BillingUnderTest> {
  await using stack = new AsyncDisposableStack();
  const database = stack.use(
    await openTestDatabase(async (url) => {
      await migrate(url);
    }),
  );
  const config = readConfig({ ...testEnv, DATABASE_URL: database.url, ...env });
  const log = createLogger({ name: "billing", level: config.logLevel });
  const billing = stack.use(await startBilling(config, log));
  const address = `127.0.0.1:${billing.port}`;
  const opened = stack.move();
  return {
    pool: database.pool,
    databaseUrl: database.url,
    address,
    opsUrl: `http://127.0.0.1:${billing.opsPort}`,
    client: (service, key) => {
      const client = createGrpcClient(service, { address, deadlineMs: 10_000, ...credential(key) });
      opened.defer(() => client.close());
      return client;
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

function credential(key: string | undefined) {
  if (key === undefined) return { serviceToken };
  return key === "" ? {} : { metadata: { authorization: `Bearer ${key}` } };
}

let requests = 0;

/** A request id that no other call of this process uses. */
export function uniqueRequest(): string {
  requests += 1;
  return `request-${process.pid}-${requests}`;
}

/** A new account with a key of the given scopes. */
export async function openAccount(
  billing: BillingUnderTest,
  facts: {
    readonly scopes?: string[];
    readonly currencyCode?: string;
    readonly tenantId?: string;
  } = {},
): Promise<{ readonly accountId: string; readonly apiKeyId: string; readonly key: string }> {
  const accounts = billing.client(AccountService);
  const { scopes = ["inference", "billing:read", "billing:write"], ...rest } = facts;
  const { account } = await accounts.createAccount({ requestId: uniqueRequest(), ...rest });
  const accountId = account?.id ?? "";
  const made = await accounts.createApiKey({ requestId: uniqueRequest(), accountId, scopes });
  return { accountId, apiKeyId: made.apiKey?.id ?? "", key: made.secret };
}
