import type { DescService } from "@bufbuild/protobuf";
import { createGrpcClient, type GrpcClient } from "@farebox/kit/grpc-client";
import { AccountService } from "@farebox/proto/farebox/billing/v1/account_service";
import { BillingService } from "@farebox/proto/farebox/billing/v1/billing_service";
import { CatalogService } from "@farebox/proto/farebox/billing/v1/catalog_service";
import { billingCodecs } from "./interceptor/billing-port.ts";

/** The gateway's clients of Billing, and of Payment and Device for callers of the edge. Every call has a deadline; streams end with the process. */
export type Clients = Disposable & {
  readonly billing: GrpcClient<typeof BillingService>;
  readonly accounts: GrpcClient<typeof AccountService>;
  readonly catalog: GrpcClient<typeof CatalogService>;
  /**
   * A client without the gateway's own token, for calls made as whoever calls the edge; undefined for the services of a
   * Payment or a Device that is not configured.
   */
  edge(service: DescService): object | undefined;
};

/** Opens the clients. Nothing is dialled before the first call, so that a gateway starts while Billing is away. */
export function openClients(options: {
  readonly address: string;
  readonly paymentAddress: string | undefined;
  readonly deviceAddress: string | undefined;
  readonly serviceToken: string;
}): Clients {
  const { address, serviceToken } = options;
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
      const target = addressOf(service, options);
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

function addressOf(
  { typeName }: DescService,
  of: {
    readonly address: string;
    readonly paymentAddress: string | undefined;
    readonly deviceAddress: string | undefined;
  },
): string | undefined {
  if (typeName.startsWith("farebox.payment.")) return of.paymentAddress;
  return typeName.startsWith("farebox.device.") ? of.deviceAddress : of.address;
}

/** For the gateway's own calls, which somebody's request waits for. */
const deadlineMs = 2000;
/** For reports and lists. A shorter deadline of the caller's own counts as well. */
const edgeDeadlineMs = 30_000;
