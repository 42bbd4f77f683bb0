import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { findBinary } from "./find-binary.ts";

const installTimeoutMs = 10 * 60_000;
const policyFile = "/usr/sbin/policy-rc.d";

/** Whether `installPackages` can work here: root on Debian, Ubuntu or a kin. */
export function canInstallPackages(): boolean {
  return process.getuid?.() === 0 && findBinary(["apt-get"]) !== undefined;
}

/**
 * Installs Debian packages without starting the services they bring: only our private instances are wanted.
 *
 * Output goes to the log file. Throws when apt-get fails or has not ended after ten minutes.
 */
export async function installPackages(packages: readonly string[], logFile: string): Promise<void> {
  // invoke-rc.d starts nothing while this file answers 101; one that an image brings along is left as it is.
  const ours = !existsSync(policyFile);
  if (ours) {
    writeFileSync(policyFile, "#!/bin/sh\nexit 101\n");
    chmodSync(policyFile, 0o755);
  }
  try {
    await aptGet(["update"], logFile);
    await aptGet(["install", "-y", "--no-install-recommends", ...packages], logFile);
  } finally {
    if (ours) rmSync(policyFile, { force: true });
  }
}

async function aptGet(args: readonly string[], logFile: string): Promise<void> {
  mkdirSync(dirname(logFile), { recursive: true });
  const log = openSync(logFile, "a");
  try {
    const child = spawn("apt-get", [...args], {
      stdio: ["ignore", log, log],
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
      timeout: installTimeoutMs,
    });
    const [code] = await once(child, "exit");
    if (code !== 0) throw new Error(`apt-get ${args.join(" ")} failed (${code}): see ${logFile}`);
  } finally {
    closeSync(log);
  }
}
