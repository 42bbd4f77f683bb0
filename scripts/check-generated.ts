import { execFileSync } from "node:child_process";
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const generated = "packages/proto/gen";

/** The generated files that differ from what the protos generate now: changed, missing or left over. */
function staleFiles(root: string): string[] {
  const fresh = mkdtempSync(join(tmpdir(), "farebox-gen-"));
  try {
    execFileSync("buf", ["generate", "--output", fresh], { cwd: root, stdio: "inherit" });
    const committed = join(root, generated);
    const made = join(fresh, generated);
    const files = new Set(
      [made, committed].flatMap((folder) => globSync("**/*.ts", { cwd: folder })),
    );
    return [...files].filter((file) => read(join(made, file)) !== read(join(committed, file)));
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

function read(file: string): string | undefined {
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}

const stale = staleFiles(fileURLToPath(new URL("..", import.meta.url)));
for (const file of stale) console.error(`${generated}/${file} is not what the protos generate`);
if (stale.length > 0) console.error("run `npm run gen` and commit the result");
process.exitCode = stale.length === 0 ? 0 : 1;
