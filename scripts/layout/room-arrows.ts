import { findImports, type Import } from "./find-imports.ts";
import { isTestFile, type Tree } from "./tree.ts";

const services = /^packages\/(?:billing|payment|device|gateway)\/src\//;
const outer = ["main", "start"];
const edges = [...outer, "rpc", "jobs", "console-api"];

/** What a room must not import: at all, and as a value (a type of it is fine). Rooms not named here are free. */
const forbidden: Readonly<
  Record<string, { readonly all: readonly string[]; readonly values: readonly string[] }>
> = {
  config: { all: [...edges, "operations", "store", "proxy", "steps", "interceptor"], values: [] },
  rpc: { all: [...outer, "jobs"], values: ["store", "config"] },
  jobs: { all: [...outer, "rpc"], values: ["store", "config"] },
  // Operations call the verbs of the store by name: see docs/adr/0006-operations-call-the-store.md.
  operations: { all: edges, values: ["config"] },
  store: { all: [...edges, "operations"], values: ["config"] },
  proxy: { all: outer, values: ["config"] },
  steps: { all: [...outer, "proxy"], values: ["config"] },
  interceptor: { all: [...outer, "proxy", "steps"], values: ["config"] },
  upstream: { all: [...outer, "proxy", "steps", "interceptor"], values: ["config"] },
};

// decimal.js is arithmetic, as pure as the rooms that use it.
const domainMayImport = /^(@farebox\/kit\/money|@farebox\/pricing\/.+|decimal\.js)$/;

/** Faults inside a service: imports point inward, main → start → rpc → operations → domain, and store → domain. */
export function roomArrows(tree: Tree): string[] {
  const faults: string[] = [];
  for (const [path, source] of tree) {
    if (!services.test(path) || isTestFile(path)) continue;
    for (const imported of findImports(path, source)) {
      const fault = roomFault(roomOf(path), imported);
      if (fault !== undefined) faults.push(`${path}: ${fault}`);
    }
  }
  return faults;
}

function roomFault(room: string, imported: Import): string | undefined {
  const target = imported.isRelative ? roomOf(imported.target) : undefined;
  if (room === "domain") {
    if (target === "domain" || domainMayImport.test(imported.target)) return undefined;
    if (imported.isTypeOnly && imported.target.startsWith("@farebox/kit/")) return undefined;
    return `domain is pure: it imports kit/money, pricing and its own files, not ${imported.target}`;
  }
  if (target === undefined) return undefined;
  if (room === "main" && target !== "start" && target !== "config") {
    return `main reads the config and starts; it does not import ${target}`;
  }
  if (target === "main") return "nothing imports main";
  const rule = forbidden[room];
  if (rule?.all.includes(target)) return `${room} must not import ${target}`;
  if (rule?.values.includes(target) && !imported.isTypeOnly) {
    return `${room} may only import types from ${target}`;
  }
  return undefined;
}

/** The room of a service's file: its folder under src, or its own name when it lies there itself. */
function roomOf(path: string): string {
  const inside = path.replace(/^packages\/[^/]+\/src\//, "");
  return inside.split("/")[0]?.replace(/\.ts$/, "") ?? "";
}
