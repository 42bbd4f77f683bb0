import { fileURLToPath } from "node:url";
import { names } from "./layout/names.ts";
import { packageArrows } from "./layout/package-arrows.ts";
import { purity } from "./layout/purity.ts";
import { roomArrows } from "./layout/room-arrows.ts";
import { sizes } from "./layout/sizes.ts";
import { readTree, type Tree } from "./layout/tree.ts";

/**
 * Every way in which a tree of sources breaks the house's plan, one sentence each; empty when it is sound.
 * Rules that are about one line are Biome's; these are about where things are and who knows whom.
 */
export function checkLayout(tree: Tree): string[] {
  return [packageArrows, roomArrows, names, sizes, purity].flatMap((rule) => rule(tree));
}

if (import.meta.main) {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const faults = checkLayout(readTree(root, [".ts", ".mjs"]));
  for (const fault of faults) console.error(fault);
  process.exitCode = faults.length === 0 ? 0 : 1;
}
