import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const pnpm = "pnpm@12.21.0";
const lockWaitMs = 10 * 60_000;

/**
 * Makes `node_modules` what the lock file says: Node 24, every tool and every dependency, from npm alone.
 *
 * A stamp inside `node_modules` tells whether anything has to be done; it hashes the lock file and every package.json,
 * so that the usual start costs a few milliseconds. Two runs at once install one after the other. Throws a message for
 * people when npm cannot do it.
 *
 * @param {string} root the repository's folder
 */
export async function ensureToolchain(root) {
  if (Number(process.versions.node.split(".")[0]) < 20) {
    throw new Error(`Node 20 or later is needed to begin; this is ${process.version}.`);
  }
  if (isInstalled(root)) return;
  const release = await takeLock(join(root, ".farebox", "install.lock"));
  try {
    if (isInstalled(root)) return;
    console.log(`farebox: installing the toolchain and dependencies from npm (${pnpm})`);
    await install(root);
    writeFileSync(stampFile(root), digest(root));
  } finally {
    release();
  }
}

/** @param {string} root */
function isInstalled(root) {
  const stamp = stampFile(root);
  return (
    existsSync(stamp) &&
    existsSync(join(root, "node_modules", "node", "bin", "node")) &&
    readFileSync(stamp, "utf8") === digest(root)
  );
}

/** @param {string} root */
function stampFile(root) {
  return join(root, "node_modules", ".farebox-stamp");
}

/** @param {string} root */
function digest(root) {
  const packages = readdirSync(join(root, "packages")).sort();
  const files = [
    ...["pnpm-lock.yaml", "pnpm-workspace.yaml", "package.json"],
    ...packages.map((name) => join("packages", name, "package.json")),
  ];
  const hash = createHash("sha256").update(`${pnpm} ${process.platform} ${process.arch}`);
  for (const file of files) {
    if (!existsSync(join(root, file))) continue;
    hash.update(`\0${file}\0`).update(readFileSync(join(root, file)));
  }
  return hash.digest("hex");
}

/** @param {string} root */
function install(root) {
  return new Promise((resolve, reject) => {
    // CI=true: pnpm then replaces a stale node_modules without asking.
    const child = spawn("npx", ["-y", pnpm, "install", "--frozen-lockfile"], {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, CI: "true" },
    });
    let output = "";
    const keep = (/** @type {Buffer} */ chunk) => {
      output = (output + chunk).slice(-16_384);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    child.on("error", (error) => reject(new Error(`npx cannot be run: ${error.message}`)));
    child.on("close", (code) => {
      if (code === 0) resolve(undefined);
      else reject(new Error(`${output}\nthe installation failed (npx ${pnpm}, exit code ${code})`));
    });
  });
}

/**
 * Takes a lock made of a directory, which only one process can create. That of a dead process is taken over.
 *
 * @param {string} folder
 * @returns {Promise<() => void>} gives the lock up
 */
async function takeLock(folder) {
  mkdirSync(join(folder, ".."), { recursive: true });
  for (let waitedMs = 0; waitedMs < lockWaitMs; waitedMs += 250) {
    try {
      mkdirSync(folder);
      writeFileSync(join(folder, "pid"), String(process.pid));
      return () => rmSync(folder, { recursive: true, force: true });
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== "EEXIST") throw error;
    }
    if (waitedMs === 0) console.log("farebox: another run is installing; waiting for it");
    // Its owner writes its pid at once: after two seconds an absent one will not come.
    if (waitedMs >= 2_000 && !isOwnerAlive(folder)) removeStale(folder);
    await sleep(250);
  }
  throw new Error(`another installation does not end; if none is running, remove ${folder}`);
}

/** @param {string} folder */
function isOwnerAlive(folder) {
  try {
    process.kill(Number(readFileSync(join(folder, "pid"), "utf8")), 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === "EPERM";
  }
}

/** @param {string} folder */
function removeStale(folder) {
  // Renamed first, so that of several waiting processes only one removes it.
  const aside = `${folder}.${process.pid}`;
  try {
    renameSync(folder, aside);
    rmSync(aside, { recursive: true, force: true });
  } catch {
    // Another one was faster.
  }
}
