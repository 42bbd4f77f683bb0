import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  ResolveApiKeysRequestSchema,
  ResolveApiKeysResponse,
  ResolvedKey,
} from "@farebox/proto/farebox/billing/v1/account_service";

/** Asks Billing what hashes of keys stand for. */
export type ResolveApiKeys = (
  req: MessageInitShape<typeof ResolveApiKeysRequestSchema>,
) => Promise<ResolveApiKeysResponse>;

/**
 * Lets the unknown keys of one turn of the event loop travel as one question, each once however many calls carry it. What the
 * watch says of a key while it is being asked about is newer than the answer.
 */
export class KeyResolver {
  readonly #resolve: ResolveApiKeys;
  readonly #asked = new Map<string, AskedKey>();
  #departing: AskedKey[] = [];

  constructor(resolve: ResolveApiKeys) {
    this.#resolve = resolve;
  }

  /** What the hash stands for; undefined for no key. Rejects when Billing does not answer. */
  resolve(hash: Buffer): Promise<ResolvedKey | undefined> {
    const name = hash.toString("latin1");
    const asked = this.#asked.get(name);
    if (asked !== undefined) return asked.answer.promise;
    const made: AskedKey = { name, hash, answer: Promise.withResolvers(), news: undefined };
    this.#asked.set(name, made);
    if (this.#departing.length === 0) setImmediate(() => this.#depart());
    this.#departing.push(made);
    return made.answer.promise;
  }

  /** Takes note of what the watch said of a key. */
  takeNews(hash: Uint8Array, key: ResolvedKey): void {
    const asked = this.#asked.get(Buffer.from(hash).toString("latin1"));
    if (asked !== undefined) asked.news = key;
  }

  #depart(): void {
    const keys = this.#departing;
    this.#departing = [];
    for (let from = 0; from < keys.length; from += keysMax) {
      const part = keys.slice(from, from + keysMax);
      // Every failure is told to those who asked.
      this.#travel(part).catch(() => undefined);
    }
  }

  async #travel(keys: readonly AskedKey[]): Promise<void> {
    try {
      const { keys: found } = await this.#resolve({ keyHashes: keys.map(({ hash }) => hash) });
      for (const [index, { answer, news }] of keys.entries()) {
        const key = news ?? found[index];
        if (key === undefined) answer.reject(new Error("Billing left a key out"));
        else answer.resolve(key.found ? key : undefined);
      }
    } catch (error) {
      for (const { answer } of keys) answer.reject(error);
    } finally {
      for (const { name } of keys) this.#asked.delete(name);
    }
  }
}

type AskedKey = {
  readonly name: string;
  readonly hash: Buffer;
  readonly answer: PromiseWithResolvers<ResolvedKey | undefined>;
  news: ResolvedKey | undefined;
};

const keysMax = 1000;
