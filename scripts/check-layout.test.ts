import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { checkLayout } from "./check-layout.ts";
import { readTree } from "./layout/tree.ts";

const operations = "packages/billing/src/operations/check-quota.ts";
const domain = "packages/billing/src/domain/decide.ts";

// biome-ignore format: a decision table is read by column
const cases: [name: string, path: string, source: string, want: RegExp | undefined][] = [
  // between packages
  ["a service may use kit, pricing and proto", operations, `import { a } from "@farebox/kit/ids";\nimport { b } from "@farebox/pricing/price";\nimport { c } from "@farebox/proto/farebox/billing/v1/lease";`, undefined],
  ["a service never imports another", "packages/gateway/src/proxy.ts", `import { a } from "@farebox/billing/start";`, /gateway must not import billing/],
  ["not even a type of it", "packages/gateway/src/proxy.ts", `import type { A } from "@farebox/billing/start";`, /gateway must not import billing/],
  ["not dynamically", "packages/gateway/src/proxy.ts", `const a = await import("@farebox/billing/start");`, /gateway must not import billing/],
  ["not by re-export", "packages/gateway/src/proxy.ts", `export { a } from "@farebox/billing/start";`, /gateway must not import billing/],
  ["not over several lines", "packages/gateway/src/proxy.ts", `import {\n  a,\n  type B,\n} from "@farebox/billing/start";`, /gateway must not import billing/],
  ["dev may import services", "packages/dev/src/stack.ts", `import { start } from "@farebox/billing/start";`, undefined],
  ["kit knows no business", "packages/kit/src/ids.ts", `import { a } from "@farebox/pricing/price";`, /kit must not import pricing/],
  ["pricing takes money from kit", "packages/pricing/src/price.ts", `import { a } from "@farebox/kit/money";`, undefined],
  ["pricing takes nothing else from kit", "packages/pricing/src/price.ts", `import { a } from "@farebox/kit/ids";`, /kit\/money only/],
  ["testing tools stay in tests", operations, `import { a } from "@farebox/kit/testing/mysql";`, /tests only/],
  ["testing tools serve tests", "packages/billing/test/a.test.ts", `import { a } from "@farebox/kit/testing/mysql";`, undefined],
  ["scripts stand alone", "scripts/check.ts", `import { a } from "@farebox/kit/ids";`, /must not import kit/],
  ["a relative import stays at home", operations, `import { a } from "../../../kit/src/ids.ts";`, /import it by name/],
  ["an unknown package is noticed", "packages/extra/src/a.ts", `import { a } from "@farebox/kit/ids";`, /not a package that the layout knows/],
  ["an import in a comment is none", operations, `// import { a } from "@farebox/gateway/x";\n/* import "@farebox/gateway/x" */`, undefined],
  // inside a service
  ["main starts", "packages/billing/src/main.ts", `import { start } from "./start.ts";\nimport { readConfig } from "./config.ts";`, undefined],
  ["main does no more", "packages/billing/src/main.ts", `import { a } from "./store/lease-store.ts";`, /does not import store/],
  ["start opens the store", "packages/billing/src/start.ts", `import { a } from "./store/lease-store.ts";`, undefined],
  ["nothing imports main", "packages/billing/src/start.ts", `import { a } from "./main.ts";`, /nothing imports main/],
  ["rpc calls operations", "packages/billing/src/rpc/billing.ts", `import { a } from "../operations/check-quota.ts";`, undefined],
  ["rpc is not called by operations", operations, `import { a } from "../rpc/convert.ts";`, /operations must not import rpc/],
  ["rpc does not reach into the store", "packages/billing/src/rpc/billing.ts", `import { a } from "../store/lease-store.ts";`, /only import types from store/],
  ["operations may know the store's types", operations, `import type { LeaseStore } from "../store/lease-store.ts";`, undefined],
  ["operations call the store's verbs", operations, `import { a } from "../store/lease-store.ts";`, undefined],
  ["an inline type import still runs the file", "packages/billing/src/rpc/billing-service.ts", `import { type A } from "../store/lease-store.ts";`, /rpc may only import types from store/],
  ["operations decide by domain", operations, `import { a } from "../domain/decide.ts";`, undefined],
  ["the store may use domain records", "packages/billing/src/store/lease-store.ts", `import type { Lease } from "../domain/lease.ts";`, undefined],
  ["the store calls no operation", "packages/billing/src/store/lease-store.ts", `import { a } from "../operations/check-quota.ts";`, /store must not import operations/],
  ["domain knows its siblings, money and pricing", domain, `import { a } from "./lease.ts";\nimport { b } from "@farebox/kit/money";\nimport type { Usage } from "@farebox/pricing/usage";`, undefined],
  ["domain knows no store, not even its types", domain, `import type { A } from "../store/lease-store.ts";`, /domain is pure/],
  ["domain knows no chassis", domain, `import { a } from "@farebox/kit/clock";`, /domain is pure/],
  ["domain may speak of a type of the chassis", domain, `import type { Reason } from "@farebox/kit/reasons";`, undefined],
  ["domain knows no platform", domain, `import { readFileSync } from "node:fs";`, /domain is pure/],
  ["domain knows no proto", domain, `import type { A } from "@farebox/proto/farebox/common/v1/money";`, /domain is pure/],
  ["a domain test may use what it needs", "packages/billing/src/domain/decide.test.ts", `import assert from "node:assert/strict";`, undefined],
  ["the gateway's steps do not call the proxy", "packages/gateway/src/steps/forward.ts", `import { a } from "../proxy.ts";`, /steps must not import proxy/],
  // purity
  ["domain reads no clock", domain, "const a = Date.now();", /Date\.now/],
  ["domain makes no date of now", domain, "const a = new Date();", /new Date/],
  ["domain makes no date at all", domain, "const a = new Date(text);", /new Date/],
  ["pricing may read the date in a price file", "packages/pricing/src/price.ts", "const a = new Date(text);", undefined],
  ["domain reads no environment", domain, "const a = process.env;", /process/],
  ["domain sets no timer", domain, "setTimeout(a, 1);", /setTimeout/],
  ["domain does not fetch", domain, `await fetch("x");`, /fetch/],
  ["domain draws no random ids", domain, "crypto.randomUUID();", /crypto/],
  ["a word in a comment or a string does no harm", domain, `// Date.now() would\nconst a = "process.env";`, undefined],
  ["a method of that name does no harm", domain, "this.clock.setTimeout(a); deps.fetch(b);", undefined],
  ["pricing is as pure as a domain", "packages/pricing/src/price.ts", "const a = Date.now();", /Date\.now/],
  // names
  ["no barrel", "packages/kit/src/index.ts", "", /main export/],
  ["no drawer of types", "packages/billing/src/domain/types.ts", "", /main export/],
  ["no drawer of a folder", "packages/billing/src/utils/money.ts", "", /drawer/],
  ["no empty word in a file's name", "packages/billing/src/store/lease-manager.ts", "", /"manager" says nothing/],
  ["no empty word in an export", operations, "export async function handleQuota() {}", /"handle" in the export handleQuota/],
  ["a word that only contains one is fine", "packages/billing/src/domain/metadata.ts", "export const processed = 1;", undefined],
  // sizes
  ["300 lines are enough", operations, "a;\n".repeat(300), undefined],
  ["301 are not", operations, "a;\n".repeat(301), /301 lines/],
  ["a test may be long", "packages/billing/test/a.test.ts", "a;\n".repeat(301), undefined],
];

for (const [name, path, source, want] of cases) {
  test(`layout: ${name}`, () => {
    const faults = checkLayout(new Map([[path, source]]));
    if (want === undefined) assert.deepEqual(faults, []);
    else {
      assert.equal(faults.length, 1, faults.join("\n"));
      assert.match(faults[0] ?? "", want);
    }
  });
}

test("layout: kit stays small", () => {
  const files = (count: number) =>
    new Map(Array.from({ length: count }, (_, i) => [`packages/kit/src/noun-${i}.ts`, ""]));
  assert.deepEqual(checkLayout(files(31)), []);
  assert.match(checkLayout(files(35)).join(), /35 files, at most 34/);
});

test("layout: this repository keeps to its plan", () => {
  const root = fileURLToPath(new URL("..", import.meta.url));
  assert.deepEqual(checkLayout(readTree(root, [".ts", ".mjs"])), []);
});
