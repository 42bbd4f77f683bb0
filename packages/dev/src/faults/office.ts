import { createGrpcClient, type GrpcClient } from "@farebox/kit/grpc-client";
import { newUuidText } from "@farebox/kit/ids";
import { AccountService } from "@farebox/proto/farebox/billing/v1/account_service";
import { BillingService } from "@farebox/proto/farebox/billing/v1/billing_service";
import { CatalogService } from "@farebox/proto/farebox/billing/v1/catalog_service";
import { OperationsService } from "@farebox/proto/farebox/billing/v1/operations_service";
import type { Stack } from "../stack/open-stack.ts";
import { awaitCondition } from "./await-condition.ts";

/** Somebody who pays: an account with money and a key. */
export type Customer = { readonly accountId: string; readonly apiKey: string };

/** The operator's desk: clients of every service of Billing, and what tests do with them. */
export type Office = {
  readonly accounts: GrpcClient<typeof AccountService>;
  readonly billing: GrpcClient<typeof BillingService>;
  readonly catalog: GrpcClient<typeof CatalogService>;
  readonly operations: GrpcClient<typeof OperationsService>;
  /** Opens an account with this much credit, and a key for it. */
  newCustomer(creditNanos: bigint): Promise<Customer>;
  /** Proves by Billing's own reconciliation that nothing drifts, in these accounts or in all; the drifts in words. */
  drifts(accountIds?: readonly string[]): Promise<readonly string[]>;
  close(): void;
};

/** Opens clients to every billing of a stack. */
export function openOffice(stack: Stack): Office {
  const options = {
    address: stack.billingAddresses.join(","),
    serviceToken: stack.dev.serviceToken,
    deadlineMs: 30_000,
  };
  const accounts = createGrpcClient(AccountService, options);
  const operations = createGrpcClient(OperationsService, options);
  const billing = createGrpcClient(BillingService, options);
  const catalog = createGrpcClient(CatalogService, options);
  return {
    ...{ accounts, billing, catalog, operations },
    newCustomer: async (creditNanos) => {
      const name = newUuidText();
      const { account } = await accounts.createAccount({ requestId: `new:${name}` });
      const accountId = account?.id ?? "";
      if (creditNanos > 0n) {
        const amount = { amountNanos: creditNanos };
        await accounts.grantCredit({ requestId: `credit:${name}`, accountId, amount });
      }
      const { secret } = await accounts.createApiKey({ requestId: `key:${name}`, accountId });
      return { accountId, apiKey: secret };
    },
    drifts: async (accountIds = [""]) => {
      const found: string[] = [];
      for (const accountId of accountIds) {
        const { drifts } = await awaitCondition("a reconciliation", () =>
          operations.runReconciliation({ accountId }),
        );
        for (const { law, subject, actual, expected, ...it } of drifts) {
          found.push(`${it.accountId} ${law} ${subject}: ${actual}, not ${expected}`);
        }
      }
      return found;
    },
    close: () => {
      for (const client of [accounts, billing, catalog, operations]) client.close();
    },
  };
}
