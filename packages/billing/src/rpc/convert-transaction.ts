import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { formatId } from "@farebox/kit/ids";
import { tokensPerRate } from "@farebox/pricing/unit-rates";
import type {
  ChargeExplanationSchema,
  CostRowSchema,
  TransactionSchema,
} from "@farebox/proto/farebox/billing/v1/report_service";
import { AttemptState, UsageSource } from "@farebox/proto/farebox/billing/v1/usage";
import type { CostRow } from "../domain/cost-summary.ts";
import type { ExplainedCharge } from "../operations/explain-charge.ts";
import type { ListedTransaction } from "../operations/with-currencies.ts";
import { toMoney } from "./convert-money.ts";
import { toProtoSnapshot } from "./convert-price.ts";
import { toTimestamp } from "./convert-time.ts";
import { toProtoUsage } from "./convert-usage.ts";
import { knownNumber } from "./convert-word.ts";

export function toProtoTransaction(
  it: ListedTransaction,
): MessageInitShape<typeof TransactionSchema> {
  return {
    id: formatId("txn", it.id),
    accountId: it.accountId,
    requestId: it.requestId,
    attempt: it.attempt,
    service: it.service,
    provider: it.provider,
    model: it.model,
    apiKeyId: it.apiKeyId,
    userId: it.userId,
    tenantId: it.tenantId,
    usage: toProtoUsage(it.usage),
    usageSource: knownNumber(UsageSource, it.usageSource),
    state: knownNumber(AttemptState, it.state),
    httpStatus: it.httpStatus,
    cost: toMoney(it.costNanos, it.currencyCode),
    ...(it.providerCostNanos !== undefined && {
      providerCost: toMoney(it.providerCostNanos, it.priceCurrencyCode),
    }),
    freeUnits: it.freeUnits,
    priceSnapshotId: it.priceSnapshotId ? formatId("prs", it.priceSnapshotId) : "",
    upstreamId: it.upstreamId,
    latency: durationFromMs(it.latencyMs),
    ...(it.timeToFirstTokenMs !== undefined && {
      timeToFirstToken: durationFromMs(it.timeToFirstTokenMs),
    }),
    tags: [...it.tags],
    leaseId: it.leaseId ? formatId("lse", it.leaseId) : "",
    errorCode: it.errorCode,
    createTime: toTimestamp(it.createTimeMs),
  };
}

export function toProtoCostRow(row: CostRow): MessageInitShape<typeof CostRowSchema> {
  return {
    dimensions: { ...row.dimensions },
    startTime: toTimestamp(row.startMs),
    cost: toMoney(row.costNanos, row.currencyCode),
    attemptsCount: row.attempts,
    failedCount: row.failed,
    usage: toProtoUsage(row.usage),
    freeUnits: row.freeUnits,
  };
}

export function toProtoExplanation(
  charge: ExplainedCharge,
): MessageInitShape<typeof ChargeExplanationSchema> {
  const { transaction, snapshot } = charge;
  return {
    transaction: toProtoTransaction(transaction),
    ...(snapshot && { snapshot: toProtoSnapshot(snapshot) }),
    lines: charge.lines.map((line) => ({
      bucket: snakeCase(line.bucket),
      quantity: BigInt(line.quantity),
      unitRate: line.unitRate,
      per: perOf(line),
      tierAboveInputTokens: BigInt(line.tier ?? 0),
      amount: line.amount,
    })),
    exactTotal: charge.exactTotal,
    total: toMoney(transaction.costNanos, transaction.currencyCode),
    text: charge.text,
  };
}

function perOf(line: { readonly bucket: string; readonly per: number }): string {
  if (line.per === tokensPerRate) return `${tokensPerRate} tokens`;
  return line.bucket === "images" ? "image" : "request";
}

/** A bucket as the contract spells it: `cacheWrite1hTokens` is `cache_write_1h_tokens`. */
function snakeCase(name: string): string {
  return name.replace(/[A-Z]|\d+/g, (part) => `_${part.toLowerCase()}`);
}
