import type { IncomingMessage } from "node:http";
import { AppError } from "@farebox/kit/app-error";

/**
 * Collects a request's body. Rejects with BODY_TOO_LARGE as soon as more than the bound has come or is announced, and with
 * CLIENT_CLOSED when the client leaves midway.
 */
export function readBody(req: IncomingMessage, bytesMax: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const announced = Number(req.headers["content-length"] ?? 0);
    if (announced > bytesMax) {
      reject(tooLarge(bytesMax));
      return;
    }
    let first: Buffer | undefined;
    let parts: Buffer[] | undefined;
    let bytes = 0;
    req.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > bytesMax) {
        parts = undefined;
        reject(tooLarge(bytesMax));
        return;
      }
      if (first === undefined) first = chunk;
      else if (parts === undefined) parts = [first, chunk];
      else parts.push(chunk);
    });
    req.on("end", () => {
      resolve(parts === undefined ? (first ?? noBytes) : Buffer.concat(parts));
    });
    req.on("error", () => reject(new AppError("CLIENT_CLOSED")));
  });
}

function tooLarge(bytesMax: number): AppError {
  return new AppError("BODY_TOO_LARGE", undefined, { metadata: { bytes_max: String(bytesMax) } });
}

const noBytes = Buffer.alloc(0);
