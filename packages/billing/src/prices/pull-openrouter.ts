import { type OpenRouterPrices, readOpenRouterModels } from "@farebox/pricing/openrouter-prices";
import { request } from "undici";

/** Where OpenRouter lists its models, for everybody. */
export const openRouterModelsUrl = "https://openrouter.ai/api/v1/models";

const pullMsMax = 20_000;
const bytesMax = 8 * 1024 * 1024;

/**
 * Asks for the models that OpenRouter lists, and reads their prices as in force from `effectiveFrom`. Throws an Error that
 * says why when there is no answer in time, or one that is no listing; redirects are not followed.
 */
export async function pullOpenRouter(
  url: string,
  effectiveFrom: string,
  signal: AbortSignal,
): Promise<OpenRouterPrices> {
  const either = AbortSignal.any([signal, AbortSignal.timeout(pullMsMax)]);
  const { statusCode, body } = await request(url, {
    signal: either,
    headers: { accept: "application/json" },
    headersTimeout: pullMsMax,
    bodyTimeout: pullMsMax,
  });
  if (statusCode !== 200) {
    // An unread body would hold its connection; a cut one is an error that says nothing new.
    body.on("error", () => undefined).destroy();
    throw new Error(`the price listing answered with status ${statusCode}`);
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > bytesMax) throw new Error(`the price listing is larger than ${bytesMax} bytes`);
  }
  return readOpenRouterModels(JSON.parse(Buffer.concat(chunks).toString("utf8")), effectiveFrom);
}
