import { createGrpcClient } from "@farebox/kit/grpc-client";
import { type CompiledPrice, compilePrice } from "@farebox/pricing/compiled-price";
import { parseSnapshot } from "@farebox/pricing/snapshot";
import { CatalogService } from "@farebox/proto/farebox/billing/v1/catalog_service";
import { benchProvider } from "../conserve/bench-price.ts";
import type { Installation } from "../installation.ts";
import { benchModel } from "../targets/ready-answers.ts";

/** The price of the benchmark's model as Billing publishes it to gateways. */
export type PublishedPrice = { readonly compiled: CompiledPrice; readonly snapshotId: Buffer };

/** Reads it out of the catalogue's stream. Throws when the whole catalogue went by without it. */
export async function readPrice(
  installation: Pick<Installation, "billingAddress" | "secrets">,
): Promise<PublishedPrice> {
  const client = createGrpcClient(CatalogService, {
    address: installation.billingAddress,
    serviceToken: installation.secrets.serviceToken,
    deadlineMs: 10_000,
  });
  try {
    const parts = client.watchCatalog({}, { deadlineMs: 10_000 });
    for await (const { entries, complete } of parts) {
      const found = entries.find(
        ({ provider, model, accountCurrency }) =>
          provider === benchProvider && model === benchModel && accountCurrency === "USD",
      );
      if (found !== undefined) {
        const compiled = compilePrice(parseSnapshot(found.priceSnapshotJson));
        return { compiled, snapshotId: Buffer.from(found.priceSnapshotId) };
      }
      if (complete) break;
    }
  } finally {
    client.close();
  }
  throw new Error(`Billing does not publish a price of ${benchProvider}'s ${benchModel}`);
}
