import type { WrkLoad } from "../load/wrk-script.ts";
import { benchModel } from "../targets/ready-answers.ts";

const path = "/v1/chat/completions";

/** Calls of about one kilobyte in OpenAI's dialect, plain or streamed, by holders of these keys in turns. */
export function gatewayLoad(load: {
  readonly apiKeys: readonly string[];
  readonly isStream: boolean;
  readonly durationMs: number;
}): WrkLoad {
  const { apiKeys, isStream, durationMs } = load;
  const messages = [
    { role: "system", content: "You are a ferryman. Answer in one short paragraph." },
    { role: "user", content: "Tell me of the man who went down to the sea. ".repeat(17) },
  ];
  const rest = isStream ? { stream: true } : {};
  const body = JSON.stringify({ model: benchModel, messages, max_tokens: 300, ...rest });
  return { apiKeys, path, body, durationMs };
}
