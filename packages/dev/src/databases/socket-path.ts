import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

// sun_path holds 108 bytes on Linux and 104 on macOS, the final zero included.
const pathBytesMax = 100;

/** Where a server of this folder keeps its Unix socket: inside, or in a short private folder when that is too long. */
export function socketPath(folder: string, name: string): string {
  const inside = join(folder, name);
  if (Buffer.byteLength(inside) <= pathBytesMax) return inside;
  const digest = createHash("sha256").update(folder).digest("hex").slice(0, 16);
  const short = join("/tmp", `farebox-${digest}`);
  mkdirSync(short, { recursive: true, mode: 0o700 });
  return join(short, name);
}
