import { isTestFile, type Tree } from "./tree.ts";

const linesMax = 300;

// A chassis that grows without limit becomes the drawer that house style forbids. Raise it only with a reason here: 28,
// because two transports (grpc-js and Connect) and their client are chassis and are a file each.
const kitFilesMax = 28;

/** Faults in size: files of more than 300 lines outside tests, and a kit of more than 28 files. */
export function sizes(tree: Tree): string[] {
  const faults: string[] = [];
  let kitFiles = 0;
  for (const [path, source] of tree) {
    if (isTestFile(path)) continue;
    const lines = source.trimEnd().split("\n").length;
    const isSchema = /\/migrations\//.test(path);
    if (lines > linesMax && !isSchema) faults.push(`${path}: ${lines} lines, at most ${linesMax}`);
    if (/^packages\/kit\/src\/.*(?<!\.d)\.ts$/.test(path)) kitFiles++;
  }
  if (kitFiles > kitFilesMax) {
    faults.push(
      `packages/kit/src: ${kitFiles} files, at most ${kitFilesMax}: is each one chassis?`,
    );
  }
  return faults;
}
