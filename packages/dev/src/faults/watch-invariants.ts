import { setTimeout as sleep } from "node:timers/promises";
import { judgeAccount } from "../conservation/judge-accounts.ts";
import { openBooks } from "../conservation/open-books.ts";
import { readAccounts } from "../conservation/read-accounts.ts";

/** Somebody who looks at the books all the time. */
export type Watch = {
  /** How often the books were read so far. */
  readonly looks: number;
  /** Stops looking; every broken law that was seen, at most a hundred. */
  stop(): Promise<readonly string[]>;
};

const pauseMs = 30;
const faultsMax = 100;

/**
 * Reads the books again and again, each time in one consistent snapshot, and judges every law of money: they must hold at
 * every read, during a fault too. While the database is down nothing is read.
 */
export function watchInvariants(databaseUrl: string): Watch {
  const faults: string[] = [];
  let looks = 0;
  let isStopping = false;
  const look = async () => {
    while (!isStopping) {
      try {
        const accounts = await openBooks(databaseUrl, (books) =>
          readAccounts(books, { accountIds: undefined }),
        );
        const found = accounts.flatMap(judgeAccount);
        faults.push(...found.slice(0, faultsMax - faults.length));
        looks += 1;
      } catch {
        // Down, as it may be.
      }
      await sleep(pauseMs);
    }
  };
  const looking = look();
  return {
    get looks() {
      return looks;
    },
    stop: async () => {
      isStopping = true;
      await looking;
      return faults;
    },
  };
}
