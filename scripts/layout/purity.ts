import { stripLiterals } from "./strip-source.ts";
import { isTestFile, type Tree } from "./tree.ts";

const domainRoom = /^packages\/[^/]+\/src\/domain\//;
const pureRooms = /^packages\/(?:[^/]+\/src\/domain|pricing\/src)\//;

const impure: readonly (readonly [what: string, pattern: RegExp])[] = [
  ["Date.now", /\bDate\s*\.\s*now\b/],
  ["new Date()", /\bnew\s+Date\s*\(\s*\)/],
  ["process", /(?<![.\w])process\s*\./],
  ["setTimeout", /(?<![.\w])set(?:Timeout|Interval|Immediate)\b/],
  ["fetch", /(?<![.\w])fetch\s*\(/],
  ["crypto", /(?<![.\w])crypto\s*\./],
  ["Math.random", /\bMath\s*\.\s*random\b/],
  ["performance", /(?<![.\w])performance\s*\./],
];

/** Faults of pure code: a decision that reads a clock, chance, the environment or the network cannot be tested alone. */
export function purity(tree: Tree): string[] {
  const faults: string[] = [];
  for (const [path, source] of tree) {
    if (!pureRooms.test(path) || isTestFile(path)) continue;
    const code = stripLiterals(source);
    // Pricing reads the dates of its price files; a decision gets its times as numbers.
    if (domainRoom.test(path) && /\bnew\s+Date\s*\(\s*[^)\s]/.test(code)) {
      faults.push(`${path}: domain must not use new Date(…): take times as arguments`);
    }
    for (const [what, pattern] of impure) {
      if (pattern.test(code))
        faults.push(`${path}: pure code must not use ${what}: take it as an argument`);
    }
  }
  return faults;
}
