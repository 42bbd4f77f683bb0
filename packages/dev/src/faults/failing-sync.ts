import fs, { appendFileSync, existsSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";

// node --import …/failing-sync.ts, before anything else of a process: while a file `fail` is in the folder FAULT_SYNC_FOLDER,
// fdatasync answers EIO and makes nothing durable, as a dying disk does. From the first such answer on, every call of this
// process is written down in the file `syncs`, as pid, file descriptor and answer, so that a test sees what was tried again.
const folder = process.env.FAULT_SYNC_FOLDER ?? "";
const real = fs.fdatasync;
let hasFailed = false;

type Done = (error: NodeJS.ErrnoException | null) => void;

function failingSync(fd: number, done: Done): void {
  const fails = existsSync(join(folder, "fail"));
  hasFailed ||= fails;
  if (hasFailed) {
    appendFileSync(join(folder, "syncs"), `${process.pid} ${fd} ${fails ? "EIO" : "ok"}\n`);
  }
  if (!fails) {
    real(fd, done);
    return;
  }
  const error = Object.assign(new Error("EIO: i/o error, fdatasync"), {
    ...{ errno: -5, code: "EIO", syscall: "fdatasync" },
  });
  setImmediate(() => done(error));
}

if (folder !== "") {
  Object.assign(fs, { fdatasync: failingSync });
  syncBuiltinESMExports();
}
