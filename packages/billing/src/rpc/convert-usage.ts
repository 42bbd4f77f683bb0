import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Usage } from "@farebox/pricing/usage";
import type { Usage as ProtoUsage, UsageSchema } from "@farebox/proto/farebox/billing/v1/usage";

/** Reads a usage whose counts have been validated. */
export function fromProtoUsage(usage: ProtoUsage): Usage {
  return {
    inputTokens: Number(usage.inputTokens),
    cacheReadTokens: Number(usage.cacheReadTokens),
    cacheWriteTokens: Number(usage.cacheWriteTokens),
    cacheWrite1hTokens: Number(usage.cacheWrite1hTokens),
    audioInputTokens: Number(usage.audioInputTokens),
    outputTokens: Number(usage.outputTokens),
    reasoningTokens: Number(usage.reasoningTokens),
    audioOutputTokens: Number(usage.audioOutputTokens),
    images: Number(usage.images),
    requests: Number(usage.requests),
  };
}

/** A usage, or the sum of many, as the contract carries it. */
export function toProtoUsage(
  usage: Readonly<Record<keyof Usage, number | bigint>>,
): MessageInitShape<typeof UsageSchema> {
  return {
    inputTokens: BigInt(usage.inputTokens),
    cacheReadTokens: BigInt(usage.cacheReadTokens),
    cacheWriteTokens: BigInt(usage.cacheWriteTokens),
    cacheWrite1hTokens: BigInt(usage.cacheWrite1hTokens),
    audioInputTokens: BigInt(usage.audioInputTokens),
    outputTokens: BigInt(usage.outputTokens),
    reasoningTokens: BigInt(usage.reasoningTokens),
    audioOutputTokens: BigInt(usage.audioOutputTokens),
    images: BigInt(usage.images),
    requests: BigInt(usage.requests),
  };
}
