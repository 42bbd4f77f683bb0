import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const inputs = ["buf.yaml", "proto", "third_party/proto"];

// What a clone can lack is said and skipped; what buf finds fails.
const base = baseCommit();
if (base === undefined) {
  console.log(
    "skipped: no earlier commit to compare with (first commit, shallow clone, or no git)",
  );
} else {
  process.exitCode = compareWith(base);
}

/** The commit whose protos are promised: HEAD while they are being edited, else where main was, else the one before. */
function baseCommit(): string | undefined {
  const edited = git(["status", "--porcelain", "--", ...inputs]);
  if (edited === undefined) return undefined;
  const candidates =
    edited === "" ? [mergeBase(), git(["rev-parse", "HEAD~1"])] : [git(["rev-parse", "HEAD"])];
  return candidates.find(
    (commit) => commit !== undefined && git(["cat-file", "-e", `${commit}:buf.yaml`]) !== undefined,
  );
}

function mergeBase(): string | undefined {
  const head = git(["rev-parse", "HEAD"]);
  const base = git(["merge-base", "HEAD", "origin/main"]) ?? git(["merge-base", "HEAD", "main"]);
  return base === head ? undefined : base;
}

function compareWith(commit: string): number {
  const folder = mkdtempSync(join(tmpdir(), "farebox-breaking-"));
  try {
    const archive = execFileSync("git", ["archive", commit, "--", ...inputs], {
      cwd: root,
      maxBuffer: 2 ** 28,
    });
    execFileSync("tar", ["-x", "-C", folder], { input: archive });
    execFileSync("buf", ["breaking", "--against", folder], { cwd: root, stdio: "inherit" });
    console.log(`compared with ${commit.slice(0, 12)}`);
    return 0;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function git(args: readonly string[]): string | undefined {
  try {
    return execFileSync("git", [...args], { cwd: root, stdio: ["ignore", "pipe", "ignore"] })
      .toString()
      .trim();
  } catch {
    return undefined;
  }
}
