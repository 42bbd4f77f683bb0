import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The repository's files as the layout sees them: path from the root, with slashes → text. */
export type Tree = ReadonlyMap<string, string>;

// Not ours to judge: installed, generated, fetched or made at run time.
const skipped = new Set(["node_modules", ".git", ".farebox", "gen", "third_party", "coverage"]);

/** Reads every file of the repository with one of these endings, except what is installed or generated. */
export function readTree(root: string, endings: readonly string[]): Tree {
  const tree = new Map<string, string>();
  const visit = (folder: string) => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory() && !skipped.has(entry.name)) visit(path);
      if (entry.isFile() && endings.some((ending) => entry.name.endsWith(ending))) {
        tree.set(path, readFileSync(join(root, path), "utf8"));
      }
    }
  };
  visit("");
  return tree;
}

/** Whether a file is a test or serves tests only: free of the rules that keep production code in shape. */
export function isTestFile(path: string): boolean {
  return /\.test\.ts$/.test(path) || /^packages\/[^/]+\/(test|testing)\//.test(path);
}
