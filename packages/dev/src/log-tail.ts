import { readFileSync } from "node:fs";

/** The last lines of a log file for an error message; empty when there is no such file. */
export function logTail(file: string, linesMax = 15): string {
  try {
    return readFileSync(file, "utf8").trimEnd().split("\n").slice(-linesMax).join("\n");
  } catch {
    return "";
  }
}
