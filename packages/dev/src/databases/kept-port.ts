import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { freePort } from "../free-port.ts";

/** The port that this file remembers, or the next free one; remembers what it returns. */
export async function keptPort(file: string): Promise<number> {
  const port = await freePort(readPort(file));
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${port}\n`);
  return port;
}

function readPort(file: string): number | undefined {
  try {
    const port = Number(readFileSync(file, "utf8"));
    return Number.isInteger(port) && port > 1_024 && port < 65_000 ? port : undefined;
  } catch {
    return undefined;
  }
}
