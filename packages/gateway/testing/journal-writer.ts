/**
 * A process that writes to the journal in the directory it is given until it is killed: a line "<attempt>" for every
 * outcome whose promise resolved, "i <attempt>" for every intent that was written and stays open.
 */
import { writeSync } from "node:fs";
import { setTimeout as sleepFor } from "node:timers/promises";
import { openJournal } from "../src/interceptor/journal/open-journal.ts";
import { appendCheckpoint, appendIntent, appendOutcome, smallJournal } from "./journal.ts";

const [directory = "", firstText = "0"] = process.argv.slice(2);
const { journal } = await openJournal(smallJournal(directory));
let n = Number(firstText);
for (;;) {
  const group: Promise<void>[] = [];
  for (let i = 0; i < 1 + (n % 40); i++) {
    const attempt = n++;
    const intent = appendIntent(journal, attempt);
    if (attempt % 7 === 3) appendCheckpoint(journal, attempt, BigInt(attempt), intent);
    else {
      const done = appendOutcome(journal, attempt, BigInt(attempt), intent);
      group.push(done.then(() => void writeSync(1, `${attempt}\n`)));
    }
  }
  await Promise.all(group);
  await sleepFor(0);
}
