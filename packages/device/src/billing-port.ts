import { createGrpcClient, type GrpcClient } from "@farebox/kit/grpc-client";
import { AccountService } from "@farebox/proto/farebox/billing/v1/account_service";
import { BillingService } from "@farebox/proto/farebox/billing/v1/billing_service";
import { CatalogService } from "@farebox/proto/farebox/billing/v1/catalog_service";
import { ReportService } from "@farebox/proto/farebox/billing/v1/report_service";

/** Device's clients of Billing, which alone holds and charges money. */
export type BillingPort = Disposable & {
  readonly billing: GrpcClient<typeof BillingService>;
  readonly accounts: GrpcClient<typeof AccountService>;
  readonly catalog: GrpcClient<typeof CatalogService>;
  readonly reports: GrpcClient<typeof ReportService>;
};

const deadlineMs = 5_000;

/** Opens them. Nothing is dialled before the first call. */
export function openBillingPort(options: {
  readonly address: string;
  readonly serviceToken: string;
}): BillingPort {
  const open = { ...options, deadlineMs };
  const billing = createGrpcClient(BillingService, open);
  const accounts = createGrpcClient(AccountService, open);
  const catalog = createGrpcClient(CatalogService, open);
  const reports = createGrpcClient(ReportService, open);
  return {
    ...{ billing, accounts, catalog, reports },
    [Symbol.dispose]: () => {
      for (const client of [billing, accounts, catalog, reports]) client.close();
    },
  };
}
