import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";

/** A file system of its own with few bytes, which can be filled to the last one. */
export type SmallDisk = Disposable & {
  readonly folder: string;
  /** Fills it, as somebody else's file may; `false` takes that file away again. */
  fill(isFull: boolean): void;
};

/** Mounts a disk of so many bytes at a folder; undefined where that is not allowed, as for users other than root. */
export function mountSmallDisk(folder: string, bytes: number): SmallDisk | undefined {
  mkdirSync(folder, { recursive: true });
  try {
    const options = `size=${bytes},mode=0700`;
    execFileSync("mount", ["-t", "tmpfs", "-o", options, "farebox-test", folder], {
      stdio: "ignore",
    });
  } catch {
    return undefined;
  }
  const filler = join(folder, "filler");
  return {
    folder,
    fill: (isFull) => {
      if (isFull) fillWith(filler);
      else rmSync(filler, { force: true });
    },
    [Symbol.dispose]: () => {
      execFileSync("umount", ["--lazy", folder], { stdio: "ignore" });
    },
  };
}

/** Writes until there is no byte left. */
function fillWith(path: string): void {
  const fd = openSync(path, "w");
  try {
    for (const bytes of [64 * 1024, 1]) writeWhileThereIsRoom(fd, Buffer.alloc(bytes, 1));
  } finally {
    closeSync(fd);
  }
}

function writeWhileThereIsRoom(fd: number, part: Buffer): void {
  try {
    while (writeSync(fd, part) > 0);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
  }
}
