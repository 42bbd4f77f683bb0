// The one launcher behind every root npm script. Plain JavaScript without dependencies: it runs on the system's Node 20,
// before anything is installed, and hands over to the pinned Node 24.
import { spawn } from "node:child_process";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensureToolchain } from "./ensure-toolchain.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const node = join(root, "node_modules", "node", "bin", "node");

/** @type {Record<string, readonly string[]>} */
const verbs = {
  start: [node, "packages/dev/src/start.ts"],
  dev: [node, "packages/dev/src/start.ts", "--watch"],
  check: [node, "scripts/check.ts"],
  test: [node, "packages/dev/src/run-tests.ts"],
  "test:all": [node, "packages/dev/src/run-tests.ts", "--all"],
  gen: [node, "scripts/gen.ts"],
  migrate: [node, "packages/dev/src/migrate-all.ts"],
  seed: [node, "packages/dev/src/seed.ts"],
  bench: [node, "packages/dev/src/bench/main.ts"],
};

const [verb = "", ...args] = process.argv.slice(2);
const command = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
if (command === undefined) {
  console.error(`usage: node scripts/run.mjs <${Object.keys(verbs).join(" | ")}> [arguments]`);
  process.exit(2);
}
try {
  await ensureToolchain(root);
} catch (error) {
  console.error(`farebox: ${error instanceof Error ? error.message : error}`);
  process.exit(1);
}
runVerb(command, args);

/**
 * @param {readonly string[]} command
 * @param {readonly string[]} args
 */
function runVerb([file = "", ...fixed], args) {
  const path = [join(root, "node_modules", ".bin"), dirname(node), process.env.PATH ?? ""];
  const child = spawn(file, [...fixed, ...args], {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, PATH: path.join(delimiter) },
  });
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
    process.on(signal, () => {
      // A terminal sends Ctrl-C to its whole foreground group, so the child has had it.
      if (signal === "SIGINT" && process.stdin.isTTY) return;
      child.kill(signal);
    });
  }
  // npm runs this without a shell between (`exec` in package.json). Its end is ours: killed outright it passes nothing on,
  // and the stack would stay up with nobody to stop it.
  if (process.env.npm_lifecycle_event !== undefined) {
    const parent = process.ppid;
    const timer = setInterval(() => {
      if (process.ppid === parent) return;
      clearInterval(timer);
      child.kill("SIGTERM");
    }, 1_000);
    timer.unref();
  }
  child.on("error", (error) => {
    console.error(`farebox: ${file}: ${error.message}`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => {
    // As a shell reports it: 128 and the signal's number, for the signals that end programs here.
    const numbers = /** @type {Record<string, number>} */ ({
      SIGHUP: 1,
      SIGINT: 2,
      SIGKILL: 9,
      SIGTERM: 15,
    });
    process.exit(signal === null ? (code ?? 1) : 128 + (numbers[signal] ?? 0));
  });
}
