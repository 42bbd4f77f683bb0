import { createGrpcClient, type GrpcClient } from "@farebox/kit/grpc-client";
import { AccountService } from "@farebox/proto/farebox/billing/v1/account_service";
import type { Installation } from "./installation.ts";

/** An account with more credit than the benchmark can spend. */
export type FundedAccount = {
  readonly accountId: string;
  /** Empty, as is the next, for one without a key. */
  readonly apiKeyId: string;
  readonly apiKey: string;
};

/** How many accounts to make, and what they are called in Billing. */
export type FundingRequest = {
  readonly prefix: string;
  readonly count: number;
  /** Whether each gets a key; without one it can only be named by a service. */
  readonly withKeys: boolean;
};

// A million dollars: no account may run dry, because a refusal is not what is measured.
const creditNanos = 1_000_000_000_000_000n;
const parallelMax = 16;

/** Makes accounts through the contract, as any operator would, sixteen at a time. */
export async function fundAccounts(
  installation: Pick<Installation, "billingAddress" | "secrets">,
  { prefix, count, withKeys }: FundingRequest,
): Promise<readonly FundedAccount[]> {
  const client = createGrpcClient(AccountService, {
    address: installation.billingAddress,
    serviceToken: installation.secrets.serviceToken,
    deadlineMs: 30_000,
  });
  try {
    const funded: FundedAccount[] = [];
    let next = 0;
    const fund = async () => {
      for (let at = next++; at < count; at = next++) {
        funded[at] = await fundOne(client, `bench:${prefix}:${at}`, withKeys);
      }
    };
    await Promise.all(Array.from({ length: parallelMax }, fund));
    return funded;
  } finally {
    client.close();
  }
}

async function fundOne(
  client: GrpcClient<typeof AccountService>,
  name: string,
  withKey: boolean,
): Promise<FundedAccount> {
  const { account } = await client.createAccount({
    requestId: name,
    displayName: name,
    currencyCode: "USD",
  });
  const accountId = account?.id ?? "";
  await client.grantCredit({
    requestId: `${name}:credit`,
    accountId,
    amount: { currencyCode: "USD", amountNanos: creditNanos },
  });
  if (!withKey) return { accountId, apiKeyId: "", apiKey: "" };
  const { apiKey, secret } = await client.createApiKey({
    requestId: `${name}:key`,
    accountId,
    displayName: name,
  });
  return { accountId, apiKeyId: apiKey?.id ?? "", apiKey: secret };
}
