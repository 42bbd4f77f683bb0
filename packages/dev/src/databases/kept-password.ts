import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** The password in this file, made at random on first use: 32 hexadecimal digits, readable by its owner only. */
export function keptPassword(file: string): string {
  mkdirSync(dirname(file), { recursive: true });
  try {
    writeFileSync(file, randomBytes(16).toString("hex"), { flag: "wx", mode: 0o600 });
  } catch {
    // It exists already.
  }
  const password = readFileSync(file, "utf8");
  if (!/^[0-9a-f]{32}$/.test(password)) throw new Error(`${file} holds no password: remove it`);
  return password;
}
