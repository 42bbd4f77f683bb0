import { findImports } from "./find-imports.ts";
import { isTestFile, type Tree } from "./tree.ts";

const service = ["kit", "pricing", "proto"];

/** Which packages a package may import, itself apart. A service calls another through its proto, never its code. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  proto: [],
  kit: ["proto"],
  pricing: ["kit"],
  billing: service,
  payment: service,
  device: service,
  gateway: service,
  console: ["kit", "proto"],
  dev: ["billing", "device", "gateway", "kit", "payment", "pricing", "proto"],
};

// These two run anywhere, a browser included: money is all that they may know of the chassis.
const moneyOnly = new Set(["pricing", "console"]);

/** Faults in who imports whom between packages: proto ← kit ← pricing ← the services ← dev. */
export function packageArrows(tree: Tree): string[] {
  const faults: string[] = [];
  for (const [path, source] of tree) {
    const own = homeOf(path);
    if (own === undefined) continue;
    for (const { target, isRelative } of findImports(path, source)) {
      if (isRelative) {
        if (homeOf(target) !== own)
          faults.push(`${path}: ${target} is outside ${own}: import it by name`);
        continue;
      }
      const [scope, name = "", ...rest] = target.split("/");
      if (scope !== "@farebox" || `packages/${name}` === own) continue;
      const fault = arrowFault(own, name, rest.join("/"), isTestFile(path));
      if (fault !== undefined) faults.push(`${path}: ${fault}`);
    }
  }
  return faults;
}

function arrowFault(own: string, name: string, file: string, isTest: boolean): string | undefined {
  const importer = own.slice(own.lastIndexOf("/") + 1);
  const targets = own === "scripts" ? [] : allowed[importer];
  if (targets === undefined) return `${own} is not a package that the layout knows`;
  if (!targets.includes(name)) return `${importer} must not import ${name}`;
  if (name !== "kit") return undefined;
  if (file.startsWith("testing/")) {
    return isTest || importer === "dev" ? undefined : "kit/testing is for tests only";
  }
  if (moneyOnly.has(importer) && !isTest && file !== "money") {
    return `${importer} may import kit/money only, not kit/${file}`;
  }
  return undefined;
}

/** The package a file belongs to (`packages/kit`), or `scripts`; undefined at the root. */
function homeOf(path: string): string | undefined {
  return /^(packages\/[^/]+|scripts)\//.exec(path)?.[1];
}
