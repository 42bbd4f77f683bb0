import type { DescService } from "@bufbuild/protobuf";
import { createGrpcClient, type GrpcClient } from "@farebox/kit/grpc-client";
import { AccountService } from "@farebox/proto/farebox/billing/v1/account_service";
import { BillingService } from "@farebox/proto/farebox/billing/v1/billing_service";
import { CatalogService } from "@farebox/proto/farebox/billing/v1/catalog_service";
import { billingCodecs } from "./interceptor/billing-port.ts";

/** The gateway's clients of Billing and Payment. Every call has a deadline; streams end with the process. */
export type Clients = Disposable & {
  readonly billing: GrpcClient<typeof BillingService>;
  readonly accounts: GrpcClient<typeof AccountService>;
  readonly catalog: GrpcClient<typeof CatalogService>;
  /**
   * A client without the gateway's own token, for calls made as whoever calls the edge; undefined for Payment's services
   * where no Payment is configured.
   */
  edge(service: DescService): object | undefined;
};

/** Opens the clients. Nothing is dialled before the first call, so that a gateway starts while Billing is away. */
export function openClients(options: {
  readonly address: string;
  readonly paymentAddress: string | undefined;
  readonly serviceToken: string;
}): Clients {
  const { address, paymentAddress, serviceToken } = options;
  const own = { address, serviceToken, deadlineMs };
  const billing = createGrpcClient(BillingService, { ...own, codecs: billingCodecs });
  const accounts = createGrpcClient(AccountService, own);
  const catalog = createGrpcClient(CatalogService, own);
  const open: { close(): void }[] = [billing, accounts, catalog];
  return {
    billing,
    accounts,
    catalog,
    edge: (service) => {
      const isPayment = service.typeName.startsWith("farebox.payment.");
      const target = isPayment ? paymentAddress : address;
      if (target === undefined) return undefined;
      const client = createGrpcClient(service, { address: target, deadlineMs: edgeDeadlineMs });
      open.push(client);
      return client;
    },
    [Symbol.dispose]: () => {
      for (const client of open) client.close();
    },
  };
}

/** For the gateway's own calls, which somebody's request waits for. */
const deadlineMs = 2000;
/** For reports and lists. A shorter deadline of the caller's own counts as well. */
const edgeDeadlineMs = 30_000;
