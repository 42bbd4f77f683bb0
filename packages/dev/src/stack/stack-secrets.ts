import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** What the processes of one installation share and nobody else may know. Made once, kept in the home, readable by its owner only. */
export type StackSecrets = {
  /** Held by Farebox's own processes to speak to each other. */
  readonly serviceToken: string;
  /** Keys the hashes of API keys: with another pepper every key stops working. */
  readonly apiKeyPepper: string;
  /** Signs page tokens. */
  readonly pageTokenSecret: string;
  /** The Stripe emulator's secret key. */
  readonly emulatorKey: string;
  /** Signs the Stripe emulator's webhooks. */
  readonly emulatorWebhookSecret: string;
};

/** Reads the secrets of a home, making those that are missing. */
export function keepSecrets(file: string): StackSecrets {
  const kept: Partial<StackSecrets> = existsSync(file)
    ? JSON.parse(readFileSync(file, "utf8"))
    : {};
  const secrets: StackSecrets = {
    serviceToken: kept.serviceToken ?? newSecret(),
    apiKeyPepper: kept.apiKeyPepper ?? newSecret(),
    pageTokenSecret: kept.pageTokenSecret ?? newSecret(),
    emulatorKey: kept.emulatorKey ?? `sk_test_${newSecret()}`,
    emulatorWebhookSecret: kept.emulatorWebhookSecret ?? `whsec_${newSecret()}`,
  };
  writePrivately(file, secrets);
  return secrets;
}

/** Replaces a file that only its owner may read, so that readers see the old content or the new, never half of it. */
export function writePrivately(file: string, content: unknown): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

function newSecret(): string {
  return randomBytes(32).toString("base64url");
}
