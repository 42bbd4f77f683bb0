import { createHash, randomBytes } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { formatId, newUuid } from "@farebox/kit/ids";
import type {
  SettleUsageRequestSchema,
  SettleUsageResponse,
} from "@farebox/proto/farebox/billing/v1/billing_service";
import {
  AttemptState,
  SettleStatus,
  type UsageItemSchema,
  UsageSource,
} from "@farebox/proto/farebox/billing/v1/usage";
import { faultModels, faultProvider } from "./fault-catalogue.ts";
import type { Customer, Office } from "./office.ts";

/** An outcome to settle. */
export type ScriptItem = MessageInitShape<typeof UsageItemSchema>;

/** Makes sound items: one call each of ten prompt and five completion tokens. */
export async function soundItems(
  office: Office,
  customer: Customer,
  count: number,
): Promise<readonly ScriptItem[]> {
  const usage = { inputTokens: 10n, outputTokens: 5n, requests: 1n };
  const quote = await office.billing.quoteUsage({
    provider: faultProvider,
    model: faultModels.openai,
    usage,
    accountId: customer.accountId,
  });
  const snapshotId = Buffer.from((quote.snapshot?.id ?? "").slice("prs_".length), "hex");
  return Array.from({ length: count }, () => {
    const id = newUuid();
    return {
      id,
      accountId: customer.accountId,
      requestId: `script-${id.toString("hex")}`,
      attempt: 1,
      service: "llm",
      provider: faultProvider,
      model: faultModels.openai,
      usage,
      usageSource: UsageSource.PROVIDER,
      state: AttemptState.SUCCEEDED,
      httpStatus: 200,
      costNanos: quote.cost?.amountNanos ?? 0n,
      priceSnapshotId: snapshotId,
      startTimeMs: BigInt(Date.now()),
      latencyMs: 5n,
    };
  });
}

/** Sends batches as a gateway of this name would, each after the answer to the one before; returns the statuses by batch. */
export async function settleAsGateway(
  office: Office,
  name: string,
  batches: readonly (readonly ScriptItem[])[],
): Promise<readonly (readonly SettleStatus[])[]> {
  const stream = office.billing.settleUsage({ deadlineMs: 30_000 });
  const gatewayId = formatId("gtw", createHash("sha256").update(name).digest().subarray(0, 16));
  const answers: SettleStatus[][] = [];
  const send = (message: SettleMessage) => void stream.write({ message });
  const sendBatch = (at: number) => {
    const items = batches[at];
    if (items === undefined) stream.end();
    else send({ case: "batch", value: { sequence: BigInt(at + 1), items: [...items] } });
  };
  send({ case: "hello", value: { gatewayId, bootId: randomBytes(16) } });
  for await (const { message } of stream) {
    take(message, answers);
    if (message.case === "welcome" || message.case === "acknowledgement") sendBatch(answers.length);
    if (answers.length === batches.length) break;
  }
  return answers;
}

type SettleMessage = NonNullable<MessageInitShape<typeof SettleUsageRequestSchema>["message"]>;

function take(message: SettleUsageResponse["message"], answers: SettleStatus[][]): void {
  if (message.case === "acknowledgement") answers.push(message.value.statuses);
}

/** How many of each status there are. */
export function countStatuses(statuses: readonly SettleStatus[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const status of statuses) {
    const name = statusNames.get(status) ?? "?";
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

const statusNames = new Map<SettleStatus, string>(
  Object.entries(SettleStatus).map(([name, status]) => [status, name]),
);
