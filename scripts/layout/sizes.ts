import { isTestFile, type Tree } from "./tree.ts";

const linesMax = 300;

// A chassis that grows without limit becomes the drawer that house style forbids. Raise it only with a reason here: 31,
// because two transports (grpc-js and Connect) and their client are chassis and are a file each, and every service with a
// schema of its own needs its mapping, its migrations and its jobs.
const kitFilesMax = 34;

/** Faults in size: files of more than 300 lines outside tests, and a kit of more than 31 files. */
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
