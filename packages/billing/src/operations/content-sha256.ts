import { createHash } from "node:crypto";

/** A part of what a request asks for. */
export type ContentPart = string | number | bigint | boolean | undefined | readonly ContentPart[];

/** SHA-256 of what a request asks for, part by part, so that a repeated request id with other content is noticed. */
export function contentSha256(parts: readonly ContentPart[]): Buffer {
  return createHash("sha256").update(spell(parts)).digest();
}

function spell(part: ContentPart): string {
  if (part === undefined) return "-";
  if (typeof part === "string") return JSON.stringify(part);
  if (typeof part === "object") return `[${part.map(spell).join(",")}]`;
  return String(part);
}
