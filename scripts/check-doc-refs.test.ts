import assert from "node:assert/strict";
import { test } from "node:test";
import { brokenReferences } from "./check-doc-refs.ts";

const present = new Set([
  "docs/a.md",
  "docs/adr/",
  "packages/kit/src/money.ts",
  "packages/kit/README.md",
]);

// biome-ignore format: a decision table is read by column
const cases: [name: string, file: string, text: string, want: readonly string[]][] = [
  ["a link that leads somewhere", "README.md", "[a](docs/a.md#part)", []],
  ["a link that leads nowhere", "README.md", "[a](docs/b.md)", ["README.md: docs/b.md does not exist"]],
  ["a link is read from its file's folder", "docs/c.md", "[a](a.md) [r](../README.md)", ["docs/c.md: ../README.md does not exist"]],
  ["a link to elsewhere is not ours", "README.md", "[a](https://example.org/x) [b](#part) [c](mailto:a@b.c)", []],
  ["a path in backticks", "docs/a.md", "see `packages/kit/src/money.ts:12`", []],
  ["a path in backticks that is gone", "docs/a.md", "see `packages/kit/src/gone.ts`", ["docs/a.md: packages/kit/src/gone.ts does not exist"]],
  ["a path in a package's own README", "packages/kit/README.md", "`src/money.ts` `src/gone.ts`", ["packages/kit/README.md: src/gone.ts does not exist"]],
  ["a pattern counts up to its star", "README.md", "`docs/adr/NNNN-*.md` `packages/{a,b}/src`", ["README.md: packages/{a,b}/src does not exist"]],
  ["what only looks like a path", "README.md", "`available/held` `/v1/models` `@farebox/kit` `a / b`", []],
  ["what is made at run time", "README.md", "`packages/proto/gen/x.ts` `.farebox/dev.json`", []],
  ["a block of code is not prose", "README.md", "```sh\ncat `docs/gone.md`\n```", []],
];

for (const [name, file, text, want] of cases) {
  test(`doc references: ${name}`, () => {
    assert.deepEqual(
      brokenReferences(file, text, (path) => present.has(path)),
      want,
    );
  });
}
