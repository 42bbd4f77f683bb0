import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

// Where distributions and Homebrew keep servers that are not on an ordinary user's PATH.
const serverFolders = [
  "/usr/sbin",
  "/usr/local/sbin",
  "/usr/libexec",
  "/opt/homebrew/bin",
  "/usr/local/bin",
  "/usr/local/mysql/bin",
];

/** The full path of the first of these programs that is installed, looked for on PATH and where servers live. */
export function findBinary(names: readonly string[]): string | undefined {
  const folders = [...(process.env.PATH ?? "").split(delimiter), ...serverFolders];
  for (const name of names) {
    for (const folder of folders) {
      if (folder !== "" && isExecutable(join(folder, name))) return join(folder, name);
    }
  }
  return undefined;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
