import { request } from "undici";
import type { Dialect } from "../../src/domain/call.ts";

/** An answer as a client reads it. */
export type ClientAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
};

const paths = { openai: "/v1/chat/completions", anthropic: "/v1/messages" } as const;

/** The body of a short call. */
export function callBody(stream: boolean, extra: object = {}): string {
  return JSON.stringify({
    model: "gpt-4o-test",
    max_tokens: 50,
    messages: [{ role: "user", content: "What does a farebox do?" }],
    ...(stream ? { stream: true } : {}),
    ...extra,
  });
}

/** Makes a call as a client does, and reads the answer to its end. Rejects when the connection breaks. */
export async function call(
  url: string,
  dialect: Dialect,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<ClientAnswer> {
  const res = await request(`${url}${paths[dialect]}`, {
    method: "POST",
    headers: { authorization: "Bearer fbx_good", "content-type": "application/json", ...headers },
    body,
  });
  return { status: res.statusCode, headers: res.headers, text: await res.body.text() };
}
