import { createHash } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { newUuid } from "@farebox/kit/ids";
import type { Pool } from "@farebox/kit/mysql";
import { parsePrice } from "@farebox/pricing/price";
import { canonicalSnapshot, makeSnapshot } from "@farebox/pricing/snapshot";
import { noUsage } from "@farebox/pricing/usage";
import {
  AttemptState,
  UsageItemSchema,
  UsageSource,
} from "@farebox/proto/farebox/billing/v1/usage";
import type { DecodedItem } from "../src/domain/usage-item.ts";

/** A snapshot of one nano per input token, and nothing for all else, and its id in hex. */
export const nanoPrice = makeNanoPrice();

/** Stores the nano price; returns the snapshot's id. */
export async function writeNanoPrice(pool: Pool): Promise<string> {
  await pool.query("INSERT INTO price_snapshot (id, content, create_time) VALUES (?, ?, ?)", [
    Buffer.from(nanoPrice.id, "hex"),
    nanoPrice.content,
    new Date(0),
  ]);
  return nanoPrice.id;
}

function makeNanoPrice(): { readonly id: string; readonly content: string } {
  const price = parsePrice({ provider: "mock", model: "mock-1", input: "0.001", output: "0" });
  const terms = { exchangeRate: "1", accountCurrency: "USD" };
  const content = canonicalSnapshot(makeSnapshot(price, terms));
  return { id: createHash("sha256").update(content).digest("hex").slice(0, 32), content };
}

/** An outcome that costs so many nanos, by the snapshot of `writeNanoPrice`. */
export function usageItem(
  of: Pick<DecodedItem, "accountId" | "priceSnapshotId"> & {
    readonly cost: number;
  } & Partial<DecodedItem>,
): DecodedItem {
  const { cost, ...rest } = of;
  return {
    id: newUuid().toString("hex"),
    leaseId: "",
    requestId: "r",
    attempt: 1,
    service: "llm",
    provider: "mock",
    model: "mock-1",
    apiKeyId: "",
    userId: "",
    usage: { ...noUsage, inputTokens: cost },
    usageSource: 1,
    state: 1,
    httpStatus: 200,
    costNanos: BigInt(cost),
    providerCostNanos: undefined,
    freeUnits: 0,
    upstreamId: "",
    startTimeMs: 0,
    latencyMs: 1,
    timeToFirstTokenMs: undefined,
    tags: [],
    errorCode: 0,
    claimed: false,
    encoded: new Uint8Array(),
    ...rest,
  };
}

/** The item as a gateway would send it. */
export function encodeItem(item: DecodedItem): Uint8Array {
  const { id, leaseId, priceSnapshotId, usage, providerCostNanos, ...rest } = item;
  const counts = Object.entries(usage).map(([bucket, count]) => [bucket, BigInt(count)]);
  return toBinary(
    UsageItemSchema,
    create(UsageItemSchema, {
      accountId: rest.accountId,
      id: Buffer.from(id, "hex"),
      leaseId: Buffer.from(leaseId, "hex"),
      requestId: rest.requestId,
      attempt: rest.attempt,
      service: rest.service,
      provider: rest.provider,
      model: rest.model,
      usage: Object.fromEntries(counts),
      usageSource: UsageSource.PROVIDER,
      state: AttemptState.SUCCEEDED,
      httpStatus: rest.httpStatus,
      costNanos: rest.costNanos,
      priceSnapshotId: Buffer.from(priceSnapshotId, "hex"),
      freeUnits: BigInt(rest.freeUnits),
      startTimeMs: BigInt(rest.startTimeMs),
      latencyMs: BigInt(rest.latencyMs),
      claimed: rest.claimed,
    }),
  );
}
