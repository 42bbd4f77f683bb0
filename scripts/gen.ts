import { execFileSync } from "node:child_process";

// npm run gen: everything that is made from something else, and committed.
execFileSync("buf", ["generate"], { stdio: "inherit" });
execFileSync(process.execPath, ["packages/dev/src/env-example.ts"], { stdio: "inherit" });
