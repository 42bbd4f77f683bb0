import type { DescService } from "@bufbuild/protobuf";
import { readConfig as readBillingConfig } from "@farebox/billing/config";
import { migrate } from "@farebox/billing/migrate";
import { startBilling } from "@farebox/billing/start";
import { createGrpcClient, type GrpcClient } from "@farebox/kit/grpc-client";
import { newUuidText } from "@farebox/kit/ids";
import { createLogger } from "@farebox/kit/logger";
import type { Pool } from "@farebox/kit/mysql";
import { openTestDatabase } from "@farebox/kit/testing/mysql";
import { readConfig } from "@farebox/payment/config";
import { migratePayment } from "@farebox/payment/migrate";
import { startPayment } from "@farebox/payment/start";
import { AccountService } from "@farebox/proto/farebox/billing/v1/account_service";
import { BillingService } from "@farebox/proto/farebox/billing/v1/billing_service";
import { OperationsService } from "@farebox/proto/farebox/billing/v1/operations_service";
import { PaymentOperationsService } from "@farebox/proto/farebox/payment/v1/payment_operations_service";
import { PaymentService } from "@farebox/proto/farebox/payment/v1/payment_service";
import { awaitCondition } from "../src/faults/await-condition.ts";
import { freePort } from "../src/free-port.ts";
import {
  openStripeEmulator,
  type StripeEmulator,
} from "../src/stripe-emulator/open-stripe-emulator.ts";

/** Billing, Payment and an emulated Stripe, each on a database of its own, and clients of them. */
export type PaymentUnderTest = AsyncDisposable & {
  readonly emulator: StripeEmulator;
  readonly billing: GrpcClient<typeof BillingService>;
  readonly accounts: GrpcClient<typeof AccountService>;
  readonly operations: GrpcClient<typeof OperationsService>;
  readonly payments: GrpcClient<typeof PaymentService>;
  readonly paymentOperations: GrpcClient<typeof PaymentOperationsService>;
  /** Payment's own database, and Billing's. */
  readonly pool: Pool;
  readonly books: Pool;
  /** What Payment has logged, everything of it. */
  readonly logged: readonly string[];
  readonly webhookUrl: string;
  readonly returnUrl: string;
  /** Starts another process of Payment on the same database; it ends with the others. */
  startAnother(): Promise<void>;
  /** A client of Payment as the holder of a key. */
  asKey(key: string): GrpcClient<typeof PaymentService>;
  /** A client of what operators do, as the person of that name. */
  asPerson(userId: string): Promise<GrpcClient<typeof PaymentOperationsService>>;
  /** The same with a key. */
  asKeyOperator(key: string): GrpcClient<typeof PaymentOperationsService>;
  /** A new account with a key that may do all that a customer may. */
  newCustomer(): Promise<{ readonly accountId: string; readonly key: string }>;
};

const serviceToken = "a-service-token-for-tests";
const secrets = {
  SERVICE_TOKENS: serviceToken,
  API_KEY_PEPPER: "a-pepper-for-tests-only",
  PAGE_TOKEN_SECRET: "page-tokens-for-tests",
  LOG_LEVEL: process.env.FAREBOX_TEST_LOG ?? "silent",
};

/** Starts all three. The reconciler runs only when it is asked to, unless `env` says otherwise. */
export async function startPaymentForTest(
  env: Readonly<Record<string, string>> = {},
): Promise<PaymentUnderTest> {
  await using stack = new AsyncDisposableStack();
  const books = stack.use(await openTestDatabase(async (url) => void (await migrate(url))));
  const own = stack.use(await openTestDatabase(async (url) => void (await migratePayment(url))));
  const emulator = stack.use(await openStripeEmulator());
  const log = createLogger({ name: "test", level: "silent" });
  const paymentAddress = `127.0.0.1:${await freePort()}`;
  const billing = stack.use(
    await startBilling(
      readBillingConfig({
        ...secrets,
        DATABASE_URL: books.url,
        BILLING_PORT: "0",
        BILLING_OPS_PORT: "0",
        PAYMENT_ADDRESS: paymentAddress,
        MYSQL_CONNECTIONS: "8",
      }),
      log,
    ),
  );
  const billingAddress = `127.0.0.1:${billing.port}`;
  const config = readConfig({
    ...secrets,
    PAYMENT_DATABASE_URL: own.url,
    PAYMENT_PORT: paymentAddress.split(":")[1],
    PAYMENT_OPS_PORT: "0",
    PAYMENT_WEBHOOK_PORT: "0",
    BILLING_ADDRESS: billingAddress,
    STRIPE_SECRET_KEY: emulator.secretKey,
    STRIPE_WEBHOOK_SECRETS: `whsec_an_old_one_of_tests,${emulator.webhookSecret}`,
    STRIPE_API_URL: emulator.url,
    PAYMENT_RECONCILE_PERIOD: "1h",
    AUTO_RECHARGE_PERIOD: "200ms",
    PAYMENT_METHODS: "card,alipay,wechat_pay,bank_transfer",
    BANK_TRANSFER_INSTRUCTIONS: "To Farebox, IBAN DE00 0000",
    ...env,
  });
  const logged: string[] = [];
  const write = (line: string) => {
    logged.push(line);
    if (config.logLevel !== "silent") process.stderr.write(line);
  };
  const start = (of: typeof config) =>
    startPayment(of, createLogger({ name: "payment", level: "debug", write }));
  const payment = stack.use(await start(config));
  const http = `http://127.0.0.1:${payment.webhookPort}`;
  emulator.sendWebhooksTo(`${http}/webhooks/stripe`);
  // What is still on its way reaches Payment before it goes.
  stack.defer(() => emulator.webhooks.drained());
  const opened = stack.move();
  const client = <S extends DescService>(service: S, address: string) => {
    const made = createGrpcClient(service, { address, serviceToken, deadlineMs: 20_000 });
    opened.defer(() => made.close());
    return made;
  };
  const accounts = client(AccountService, billingAddress);
  const asKeyOperator = (key: string) => {
    const metadata = { authorization: `Bearer ${key}` };
    const made = createGrpcClient(PaymentOperationsService, {
      ...{ address: paymentAddress, metadata, deadlineMs: 20_000 },
    });
    opened.defer(() => made.close());
    return made;
  };
  return {
    emulator,
    accounts,
    billing: client(BillingService, billingAddress),
    operations: client(OperationsService, billingAddress),
    payments: client(PaymentService, paymentAddress),
    paymentOperations: client(PaymentOperationsService, paymentAddress),
    ...{ logged, pool: own.pool },
    books: books.pool,
    webhookUrl: `${http}/webhooks/stripe`,
    returnUrl: `${http}/return`,
    startAnother: async () =>
      void opened.use(await start({ ...config, port: { port: 0, explicit: true } })),
    asKey: (key) => {
      const metadata = { authorization: `Bearer ${key}` };
      const address = paymentAddress;
      const made = createGrpcClient(PaymentService, { address, metadata, deadlineMs: 20_000 });
      opened.defer(() => made.close());
      return made;
    },
    asPerson: async (userId) => {
      const name = newUuidText();
      const { account } = await accounts.createAccount({ requestId: `staff:${name}` });
      const { secret } = await accounts.createApiKey({
        requestId: `key:${name}`,
        accountId: account?.id ?? "",
        userId,
        scopes: ["admin"],
      });
      return asKeyOperator(secret);
    },
    asKeyOperator,
    newCustomer: async () => {
      const name = newUuidText();
      const { account } = await accounts.createAccount({ requestId: `new:${name}` });
      const accountId = account?.id ?? "";
      const scopes = ["inference", "billing:read", "billing:write"];
      const { secret } = await accounts.createApiKey({
        requestId: `key:${name}`,
        accountId,
        scopes,
      });
      return { accountId, key: secret };
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** A recharge that was begun: its order, its payment and its page. */
export type BegunRecharge = {
  readonly accountId: string;
  readonly key: string;
  readonly orderId: string;
  readonly paymentId: string;
  readonly sessionId: string;
};

/** Begins a recharge of so many dollars, for a new customer unless one is given. */
export async function beginRecharge(
  under: PaymentUnderTest,
  dollars: number,
  customer?: { readonly accountId: string; readonly key: string },
): Promise<BegunRecharge> {
  const { accountId, key } = customer ?? (await under.newCustomer());
  const amount = {
    amountNanos: BigInt(Math.round(dollars * 100)) * 10_000_000n,
    currencyCode: "USD",
  };
  const begun = await under.billing.recharge({ requestId: newUuidText(), accountId, amount });
  const { payment } = await under.payments.getPayment({ paymentId: begun.order?.paymentId ?? "" });
  return {
    accountId,
    key,
    orderId: begun.order?.paymentOrderId ?? "",
    paymentId: begun.order?.paymentId ?? "",
    sessionId: payment?.providerIds.checkout_session ?? "",
  };
}

/** What met a fault is tried again after a minute at most. */
const settledMsMax = 100_000;

/** Waits until an account's money is so: available, held, credited, receivable, in whole cents. */
export async function awaitMoney(
  under: PaymentUnderTest,
  accountId: string,
  cents: readonly [number, number, number, number],
): Promise<void> {
  let seen: readonly number[] = [];
  try {
    const look = async () => {
      seen = await moneyOf(under, accountId);
      return seen.join() === cents.join();
    };
    await awaitCondition("the money", look, settledMsMax);
  } catch (cause) {
    throw new Error(`${seen.join()} instead of ${cents.join()}`, { cause });
  }
}

/** An account's available, held, credited and receivable money in cents. */
export async function moneyOf(
  under: PaymentUnderTest,
  accountId: string,
): Promise<readonly number[]> {
  const { balance } = await under.billing.checkBalance({ accountId });
  const { available, held, credited, receivable } = balance ?? {};
  return [available, held, credited, receivable].map(
    (money) => Number(money?.amountNanos ?? 0n) / 10_000_000,
  );
}
