import { randomBytes } from "node:crypto";
import { link, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { JournalError } from "./journal-error.ts";
import { syncDirectory } from "./segment.ts";

/**
 * The gateway's name to Billing, "gtw_" and 32 hexadecimal digits: made once, then kept beside the journal, because usage
 * that the journal still holds belongs to leases under that name.
 */
export async function readGatewayId(directory: string): Promise<string> {
  const path = join(directory, "gateway_id");
  const kept = await readIfThere(path);
  if (kept !== undefined) return checked(path, kept);
  const made = `gtw_${randomBytes(16).toString("hex")}`;
  const draft = `${path}.${process.pid}`;
  const file = await open(draft, "w");
  try {
    await file.writeFile(`${made}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await link(draft, path);
  await rm(draft);
  await syncDirectory(directory);
  return made;
}

function checked(path: string, text: string): string {
  const id = text.trim();
  if (/^gtw_[0-9a-f]{32}$/.test(id)) return id;
  throw new JournalError("CORRUPT", `${path}: does not hold a gateway id. Restore the file.`);
}

/** Reads a file; undefined when there is none. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
