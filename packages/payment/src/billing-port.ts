import { createGrpcClient, type GrpcClient } from "@farebox/kit/grpc-client";
import { AccountService } from "@farebox/proto/farebox/billing/v1/account_service";
import { BillingService } from "@farebox/proto/farebox/billing/v1/billing_service";

/** Payment's clients of Billing, which alone decides what is credited. */
export type BillingPort = Disposable & {
  readonly billing: GrpcClient<typeof BillingService>;
  readonly accounts: GrpcClient<typeof AccountService>;
};

const deadlineMs = 10_000;

/** Opens them. Nothing is dialled before the first call. */
export function openBillingPort(options: {
  readonly address: string;
  readonly serviceToken: string;
}): BillingPort {
  const billing = createGrpcClient(BillingService, { ...options, deadlineMs });
  const accounts = createGrpcClient(AccountService, { ...options, deadlineMs });
  return {
    billing,
    accounts,
    [Symbol.dispose]: () => {
      billing.close();
      accounts.close();
    },
  };
}
