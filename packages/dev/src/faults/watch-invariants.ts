import { setTimeout as sleep } from "node:timers/promises";
import { judgeAccount } from "../conservation/judge-accounts.ts";
import { openBooks } from "../conservation/open-books.ts";
import { readAccounts } from "../conservation/read-accounts.ts";

/** Somebody who looks at the books all the time, until stopped or disposed of. */
export type Watch = AsyncDisposable & {
  /** How often the books were read so far. */
  readonly looks: number;
  /** Stops looking; every broken law that was seen, at most a hundred. */
  stop(): Promise<readonly string[]>;
};

const pauseMs = 30;
const faultsMax = 100;

/**
 * Reads the books again and again, each time in one consistent snapshot, and judges every law of money: they must hold at
 * every read, during a fault too. While the database is down nothing is read. Looks at these accounts, or at all.
 */
export function watchInvariants(databaseUrl: string, accountIds?: readonly string[]): Watch {
  const faults: string[] = [];
  let looks = 0;
  let isStopping = false;
  const look = async () => {
    while (!isStopping) {
      const startedMs = performance.now();
      try {
        const accounts = await openBooks(databaseUrl, (books) =>
          readAccounts(books, { accountIds }),
        );
        const found = accounts.flatMap(judgeAccount);
        faults.push(...found.slice(0, faultsMax - faults.length));
        looks += 1;
      } catch {
        // Down, as it may be.
      }
      // Books that take long to read are not read all the time: the load is what should keep the database busy.
      await sleep(Math.max(pauseMs, 2 * (performance.now() - startedMs)));
    }
  };
  const looking = look();
  const stop = async () => {
    isStopping = true;
    await looking;
    return faults;
  };
  return {
    get looks() {
      return looks;
    },
    stop,
    [Symbol.asyncDispose]: async () => void (await stop()),
  };
}
