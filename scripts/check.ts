import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const timeoutMs = 120_000;

/** Everything that is wrong can be found without a database, in seconds. Slowest first, so that the rest runs beside. */
const checks: readonly (readonly [name: string, command: string, ...args: string[]])[] = [
  ["types", "tsc", "--noEmit", "-p", "tsconfig.json"],
  ["lint and format", "biome", "check", "--error-on-warnings", "--diagnostic-level=warn"],
  ["generated code", "node", "scripts/check-generated.ts"],
  ["proto breaking", "node", "scripts/check-breaking.ts"],
  ["proto lint", "buf", "lint"],
  ["proto format", "buf", "format", "--diff", "--exit-code", "proto"],
  ["layout", "node", "scripts/check-layout.ts"],
  ["doc references", "node", "scripts/check-doc-refs.ts"],
];

type Result = {
  readonly name: string;
  readonly seconds: number;
  readonly isOk: boolean;
  readonly output: string;
};

const startedAtMs = performance.now();
const queue = [...checks];
const results: Result[] = [];
await Promise.all(Array.from({ length: availableParallelism() }, work));
report(results);

async function work(): Promise<void> {
  for (let check = queue.shift(); check !== undefined; check = queue.shift()) {
    results.push(await run(...check));
  }
}

function run(name: string, command: string, ...args: string[]): Promise<Result> {
  return new Promise((resolve) => {
    const beganAtMs = performance.now();
    const child = spawn(command, args, {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      timeout: timeoutMs,
    });
    let output = "";
    const keep = (chunk: Buffer) => {
      if (output.length < 100_000) output += chunk.toString();
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    const finish = (isOk: boolean) =>
      resolve({
        name,
        seconds: (performance.now() - beganAtMs) / 1_000,
        isOk,
        output: output.trim(),
      });
    child.on("error", (error) => {
      output += `${command}: ${error.message}`;
      finish(false);
    });
    child.on("close", (code) => finish(code === 0));
  });
}

function report(results: readonly Result[]): void {
  for (const result of results.filter((candidate) => !candidate.isOk)) {
    console.log(`\n== ${result.name}\n${result.output}\n`);
  }
  for (const [name] of checks) {
    const result = results.find((candidate) => candidate.name === name);
    if (result === undefined) continue;
    const skipped = result.isOk && result.output.startsWith("skipped") ? `  ${result.output}` : "";
    const mark = result.isOk ? "ok" : "FAILED";
    console.log(`${name.padEnd(16)} ${result.seconds.toFixed(1).padStart(5)} s  ${mark}${skipped}`);
  }
  const seconds = ((performance.now() - startedAtMs) / 1_000).toFixed(1);
  const failed = results.filter((result) => !result.isOk).length;
  console.log(
    `${"in all".padEnd(16)} ${seconds.padStart(5)} s  ${failed === 0 ? "ok" : `${failed} FAILED`}`,
  );
  process.exitCode = failed === 0 ? 0 : 1;
}
