import { parseBenchOptions } from "./bench-options.ts";
import { printReport } from "./print-report.ts";
import { runBench } from "./run-bench.ts";

// npm run bench [-- part…] [--json FILE] [--portkey] [--seconds N] [--rounds N] [--profile FOLDER]
try {
  const options = parseBenchOptions(process.argv.slice(2));
  const log = (line: string) => console.log(`bench: ${line}`);
  const report = await runBench(options, { given: {}, log });
  console.log(printReport(report));
  if (report.faults.length > 0) process.exitCode = 1;
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
