import { closeSync, openSync, writeSync } from "node:fs";

const flushBytes = 64 * 1024;
const flushMs = 50;

/** A file to which records are appended as lines of JSON. */
export type JsonLines = {
  write(record: object): void;
  close(): void;
};

/** Opens a file for appending. At most 64 KB or 50 ms of lines wait in memory; what waits is lost by a kill. */
export function openJsonLines(file: string): JsonLines {
  const fd = openSync(file, "a", 0o600);
  let waiting = "";
  const flush = () => {
    if (waiting !== "") writeSync(fd, waiting);
    waiting = "";
  };
  const timer = setInterval(flush, flushMs);
  timer.unref();
  return {
    write: (record) => {
      waiting += `${JSON.stringify(record)}\n`;
      if (waiting.length >= flushBytes) flush();
    },
    close: () => {
      clearInterval(timer);
      flush();
      closeSync(fd);
    },
  };
}
