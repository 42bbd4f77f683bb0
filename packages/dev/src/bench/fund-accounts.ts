import { createGrpcClient, type GrpcClient } from "@farebox/kit/grpc-client";
import { AccountService } from "@farebox/proto/farebox/billing/v1/account_service";
import type { Installation } from "./installation.ts";

/** An account with more credit than the benchmark can spend, and a key. */
export type FundedAccount = {
  readonly accountId: string;
  readonly apiKeyId: string;
  readonly apiKey: string;
};

// A million dollars: no account may run dry, because a refusal is not what is measured.
const creditNanos = 1_000_000_000_000_000n;
const parallelMax = 16;

/** Makes accounts through the contract, as any operator would, sixteen at a time. The prefix names them in Billing. */
export async function fundAccounts(
  installation: Pick<Installation, "billingAddress" | "secrets">,
  { prefix, count }: { readonly prefix: string; readonly count: number },
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
        funded[at] = await fundOne(client, `bench:${prefix}:${at}`);
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
  const { apiKey, secret } = await client.createApiKey({
    requestId: `${name}:key`,
    accountId,
    displayName: name,
  });
  return { accountId, apiKeyId: apiKey?.id ?? "", apiKey: secret };
}
