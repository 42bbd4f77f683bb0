import { posix } from "node:path";
import { stripProse } from "./strip-source.ts";

/** One import (or re-export) in a file. */
export type Import = {
  /** The path of the imported file from the root, for a relative import; else the specifier as written. */
  readonly target: string;
  readonly isRelative: boolean;
  /** Erased before the program runs: `import type …` or `export type … from`. */
  readonly isTypeOnly: boolean;
};

const statements =
  /(?:^|[\n;])\s*(?:import|export)\s+(type\s+)?(?:[\w*{}\s,$]*?\s*from\s*)?["']([^"'\n]+)["']|\bimport\(\s*["']([^"'\n]+)["']\s*\)/g;

/** Every import of a source, in order: static, dynamic with a literal, and re-exports. */
export function findImports(path: string, source: string): Import[] {
  return [...stripProse(source).matchAll(statements)].map((match) => {
    const specifier = match[2] ?? match[3] ?? "";
    const isRelative = specifier.startsWith(".");
    const target = isRelative ? posix.join(posix.dirname(path), specifier) : specifier;
    return { target, isRelative, isTypeOnly: match[1] !== undefined };
  });
}
