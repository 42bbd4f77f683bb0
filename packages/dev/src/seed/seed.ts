import { existsSync, readFileSync } from "node:fs";
import { createGrpcClient, type GrpcClient } from "@farebox/kit/grpc-client";
import { AccountService } from "@farebox/proto/farebox/billing/v1/account_service";
import { writePrivately } from "../stack/stack-secrets.ts";
import { type StoryName, stories } from "./stories.ts";

/** An account of a story, with a key that works. */
export type SeededAccount = { readonly accountId: string; readonly apiKey: string };

/** Every story by name. */
export type Seeded = Readonly<Record<StoryName, SeededAccount>>;

/** Where to seed, and the file that remembers the keys' secrets, which Billing shows only once. */
export type SeedRequest = {
  readonly billingAddress: string;
  readonly serviceToken: string;
  readonly keptIn: string;
};

/**
 * Tells the named stories to an installation: accounts, their credit and a key each.
 *
 * Seeding again finds the same accounts and never gives credit twice, because every call carries the story's own request id.
 * When the file of secrets is lost, new keys are made.
 */
export async function seed(request: SeedRequest): Promise<Seeded> {
  const client = createGrpcClient(AccountService, {
    address: request.billingAddress,
    serviceToken: request.serviceToken,
    deadlineMs: 10_000,
  });
  try {
    const kept: Partial<Record<StoryName, SeededAccount>> = existsSync(request.keptIn)
      ? JSON.parse(readFileSync(request.keptIn, "utf8"))
      : {};
    const seeded = {
      richAccount: await tell(client, "richAccount", kept.richAccount),
      emptyAccount: await tell(client, "emptyAccount", kept.emptyAccount),
      operator: await tell(client, "operator", kept.operator),
    } satisfies Seeded;
    writePrivately(request.keptIn, seeded);
    return seeded;
  } finally {
    client.close();
  }
}

async function tell(
  client: GrpcClient<typeof AccountService>,
  name: StoryName,
  kept: SeededAccount | undefined,
): Promise<SeededAccount> {
  const story = stories[name];
  const { account } = await client.createAccount({
    requestId: `seed:${name}`,
    displayName: story.displayName,
    currencyCode: "USD",
  });
  const accountId = account?.id ?? "";
  if (story.creditNanos > 0n) {
    await client.grantCredit({
      requestId: `seed:${name}:credit`,
      accountId,
      amount: { currencyCode: "USD", amountNanos: story.creditNanos },
    });
  }
  if (kept?.accountId === accountId) return kept;
  const attempt = kept === undefined ? "first" : Date.now().toString(36);
  const created = await client.createApiKey({
    requestId: `seed:${name}:key:${attempt}`,
    accountId,
    displayName: story.displayName,
    scopes: [...story.scopes],
  });
  if (created.secret !== "") return { accountId, apiKey: created.secret };
  const { secret } = await client.createApiKey({
    requestId: `seed:${name}:key:${Date.now().toString(36)}`,
    accountId,
    displayName: story.displayName,
    scopes: [...story.scopes],
  });
  return { accountId, apiKey: secret };
}
