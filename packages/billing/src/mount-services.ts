import { type ServiceMount, serviceMount } from "@farebox/kit/service-mount";
import { AccountService } from "@farebox/proto/farebox/billing/v1/account_service";
import { BillingService } from "@farebox/proto/farebox/billing/v1/billing_service";
import { CatalogService } from "@farebox/proto/farebox/billing/v1/catalog_service";
import { OperationsService } from "@farebox/proto/farebox/billing/v1/operations_service";
import { ReportService } from "@farebox/proto/farebox/billing/v1/report_service";
import type { Engine } from "./engine.ts";
import { grantCredit } from "./operations/grant-credit.ts";
import type { RechargeDeps } from "./operations/recharge.ts";
import { type AccountServiceDeps, accountService } from "./rpc/account-service.ts";
import { billingService, billingServiceUnvalidated } from "./rpc/billing-service.ts";
import { type CatalogServiceDeps, catalogService } from "./rpc/catalog-service.ts";
import { operationsService } from "./rpc/operations-service.ts";
import { quoteUsageMethod } from "./rpc/quote-usage.ts";
import { reportService } from "./rpc/report-service.ts";
import { settleUsageMethod } from "./rpc/settle-usage-method.ts";

export type ServicesDeps = Engine &
  Omit<AccountServiceDeps, "grantCredit"> &
  CatalogServiceDeps &
  Pick<RechargeDeps, "createPayment">;

/** Every service of billing, ready to be served. */
export function mountServices(deps: ServicesDeps): readonly ServiceMount[] {
  const { codec } = deps;
  return [
    serviceMount(
      BillingService,
      billingService({
        ...deps,
        quoteUsage: quoteUsageMethod(deps),
        settleUsage: settleUsageMethod(deps),
      }),
      { codecs: { settleUsage: codec }, unvalidated: billingServiceUnvalidated },
    ),
    serviceMount(
      AccountService,
      accountService({ ...deps, grantCredit: (input) => grantCredit(deps, input) }),
    ),
    serviceMount(CatalogService, catalogService(deps)),
    serviceMount(ReportService, reportService(deps)),
    serviceMount(OperationsService, operationsService(deps)),
  ];
}
