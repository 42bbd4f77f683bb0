import { spawn } from "node:child_process";
import { once } from "node:events";
import { globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { type Databases, openDatabases } from "./databases/open-databases.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const patterns = ["packages/*/{src,test,testing}/**/*.test.ts", "scripts/**/*.test.ts"];
// One test file that hangs must not hang the run; each has its own, shorter limits inside.
const timeoutMs = { usual: 120_000, all: 900_000 };

/**
 * Runs the tests on databases of their own and returns the exit code.
 *
 * Arguments: `--all` runs the long ones as well (FAREBOX_TEST_LONG=1), `--…` goes to `node --test`, anything else
 * keeps only files whose path contains it. DATABASE_URL and REDIS_URL replace the private databases.
 */
async function runTests(args: readonly string[]): Promise<number> {
  const isAll = args.includes("--all");
  const options = args.filter((arg) => arg.startsWith("--") && arg !== "--all");
  const filters = args.filter((arg) => !arg.startsWith("--"));
  const files = globSync(patterns, { cwd: root, exclude: (name) => name === "node_modules" })
    .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))
    .sort();
  if (files.length === 0) throw new Error(`no test file matches ${filters.join(" ")}`);

  const stopping = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => stopping.abort());
  }
  const home = mkdtempSync(join(tmpdir(), "farebox-test-"));
  try {
    await using databases = await openDatabases({
      home,
      given: { databaseUrl: process.env.DATABASE_URL, redisUrl: process.env.REDIS_URL },
      log: (line) => console.log(`farebox: ${line}`),
    });
    if (stopping.signal.aborted) return 130;
    return await runFiles(files, { options, isAll, databases, stopping: stopping.signal });
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

type Run = {
  readonly options: readonly string[];
  readonly isAll: boolean;
  readonly databases: Databases;
  readonly stopping: AbortSignal;
};

async function runFiles(files: readonly string[], run: Run): Promise<number> {
  const timeout = run.isAll ? timeoutMs.all : timeoutMs.usual;
  const fixed = ["--test", "--test-concurrency=2", "--test-reporter=spec"];
  const child = spawn(
    process.execPath,
    [...fixed, `--test-timeout=${timeout}`, ...run.options, ...files],
    {
      cwd: root,
      stdio: ["inherit", process.stdout.isTTY ? "inherit" : "pipe", "inherit"],
      env: {
        ...process.env,
        DATABASE_URL: run.databases.databaseUrl,
        REDIS_URL: run.databases.redisUrl,
        FAREBOX_TEST_LONG: run.isAll ? "1" : "",
      },
    },
  );
  run.stopping.addEventListener("abort", () => child.kill("SIGTERM"));
  if (child.stdout !== null) void printPlainly(child.stdout);
  const [code] = await once(child, "close");
  return typeof code === "number" ? code : 130;
}

// Scripts read the closing summary as `# tests 12`, `# pass 12`, `# fail 0`, whatever the reporter's bullet is.
async function printPlainly(output: Readable): Promise<void> {
  for await (const line of createInterface({ input: output }))
    console.log(line.replace(/^ℹ /, "# "));
}

try {
  process.exitCode = await runTests(process.argv.slice(2));
} catch (error) {
  console.error(`farebox: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
