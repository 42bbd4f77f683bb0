import { stripLiterals } from "./strip-source.ts";
import { isTestFile, type Tree } from "./tree.ts";

const bannedWords = new Set(
  ["manager", "helper", "util", "common", "data", "info", "process", "handle"].flatMap((word) => [
    word,
    `${word}s`,
  ]),
);
const bannedFiles = new Set(["types.ts", "index.ts", "interfaces.ts"]);
const bannedFolders = new Set(["types", "interfaces"]);
const exported =
  /^export\s+(?:declare\s+)?(?:abstract\s+)?(?:async\s+)?(?:function\*?|const|let|class|type|interface)\s+(\w+)/gm;

/** Faults in names: words that say nothing, in files, folders and exports; drawers; and barrels. */
export function names(tree: Tree): string[] {
  const faults: string[] = [];
  for (const [path, source] of tree) {
    if (!/^(packages|scripts)\//.test(path)) continue;
    const folders = path.split("/");
    const file = folders.pop() ?? "";
    if (bannedFiles.has(file)) faults.push(`${path}: name the file for its main export`);
    for (const folder of folders) {
      if (bannedFolders.has(folder) || bannedWord(folder)) {
        faults.push(`${path}: the folder ${folder} is a drawer, not a room`);
      }
    }
    const word = bannedWord(file.replace(/\..*$/, ""));
    if (word) faults.push(`${path}: "${word}" says nothing`);
    if (isTestFile(path)) continue;
    for (const [, name = ""] of stripLiterals(source).matchAll(exported)) {
      const said = bannedWord(name);
      if (said) faults.push(`${path}: "${said}" in the export ${name} says nothing`);
    }
  }
  return faults;
}

function bannedWord(name: string): string | undefined {
  const words = name
    .replace(/([a-z0-9])([A-Z])/g, "$1-$2")
    .toLowerCase()
    .split(/[-_]/);
  return words.find((word) => bannedWords.has(word));
}
