import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { readTree } from "./layout/tree.ts";

// What a reader would take for a path in this repository, by its first folder.
const rootFolders = ["packages", "scripts", "proto", "docs", "third_party", ".ci", ".github"];
const packageFolders = ["src", "test", "testing", "migrations"];
const madeAtRunTime = /(^|\/)(node_modules|\.farebox|gen)(\/|$)/;

/**
 * The references in a Markdown file that lead nowhere: relative links, and paths in backticks that begin with a folder
 * of the repository (or of the file's own package). A path with `*`, `…` or `<name>` counts up to there.
 */
export function brokenReferences(
  file: string,
  text: string,
  exists: (path: string) => boolean,
): string[] {
  const prose = text.replace(/^```[\s\S]*?^```/gm, "");
  const links = [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map((match) => match[1] ?? "")
    .filter((link) => !/^([a-z]+:|#|\/)/i.test(link))
    .map((link) => ({ said: link, path: join(dirname(file), link.replace(/[#?].*$/, "")) }));
  const paths = [...prose.matchAll(/`([^`\s]+\/[^`\s]*)`/g)].flatMap((match) => {
    const said = match[1] ?? "";
    const path = resolvePath(file, said.replace(/(:\d+|#.*)$/, ""));
    return path === undefined ? [] : [{ said, path }];
  });
  return [...links, ...paths]
    .filter(({ path }) => !madeAtRunTime.test(path) && !exists(path))
    .map(({ said }) => `${file}: ${said} does not exist`);
}

function resolvePath(file: string, said: string): string | undefined {
  const known = said.split(/[*{<…]/)[0] ?? "";
  // Of `packages/x/0001-*.md` only the folder is certain.
  const path = known === said ? said : known.slice(0, known.lastIndexOf("/") + 1);
  const first = path.split("/")[0] ?? "";
  if (rootFolders.includes(first)) return path;
  const home = /^packages\/[^/]+/.exec(file)?.[0];
  return home !== undefined && packageFolders.includes(first) ? join(home, path) : undefined;
}

if (import.meta.main) {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const exists = (path: string) => existsSync(join(root, path));
  const broken = [...readTree(root, [".md"])].flatMap(([file, text]) =>
    brokenReferences(file, text, exists),
  );
  for (const fault of broken) console.error(fault);
  process.exitCode = broken.length === 0 ? 0 : 1;
}
