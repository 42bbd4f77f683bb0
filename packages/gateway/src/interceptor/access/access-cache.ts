import { createHmac } from "node:crypto";
import { AppError } from "@farebox/kit/app-error";
import type { Clock } from "@farebox/kit/clock";
import { looksLikeKey } from "@farebox/kit/ids";
import type { WatchAccessResponse } from "@farebox/proto/farebox/billing/v1/account_service";
import { billingUnavailable } from "../lease/refuse-call.ts";
import { type AccessEntry, readAccessEntry, readAccount } from "./access-entry.ts";
import { KeyResolver, type ResolveApiKeys } from "./key-resolver.ts";

/** What the copy of the keys needs. */
export type AccessCacheDeps = {
  readonly resolveApiKeys: ResolveApiKeys;
  /** The installation's pepper: the same as Billing's. */
  readonly pepper: string;
  readonly clock: Clock;
  /** Whether an account has a lease that may be spent from: its keys live as long when Billing is not reachable. */
  readonly hasLease: (accountId: string) => boolean;
};

/**
 * The gateway's copy of the keys it has seen, in memory only. The secret itself is the index, so that a known key costs no
 * hash; Billing is asked by hash and never sees a secret. A change takes effect with the heartbeat that carries it; when
 * heartbeats stop for a second, Billing counts as not reachable and only keys of accounts with an open lease go on working.
 */
export class AccessCache {
  readonly #deps: AccessCacheDeps;
  readonly #resolver: KeyResolver;
  readonly #bySecret = new Map<string, Slot>();
  readonly #byHash = new Map<string, Slot>();
  /** When unknown secrets may be asked about again. */
  readonly #unknownUntilMs = new Map<string, number>();
  #beatMs = Number.NEGATIVE_INFINITY;
  #generation = 0;

  constructor(deps: AccessCacheDeps) {
    this.#deps = deps;
    this.#resolver = new KeyResolver(deps.resolveApiKeys);
  }

  /**
   * What a secret stands for: at once for a key that is known, else a promise. Refuses, thrown or rejected alike, with
   * UNAUTHENTICATED for a key that is unknown, not active or expired, and BILLING_UNAVAILABLE when nobody can say.
   */
  find(secret: string): AccessEntry | Promise<AccessEntry> {
    const slot = this.#bySecret.get(secret);
    if (slot === undefined) return this.#findUnknown(secret);
    slot.isUsed = true;
    if (!this.#isReachable) {
      if (this.#deps.hasLease(slot.entry.accountId)) return this.#checked(slot.entry);
    } else if (slot.generation === this.#generation) {
      return this.#checked(slot.entry);
    }
    return this.#resolve(secret, slot);
  }

  /** Takes a heartbeat with what changed. */
  take(message: WatchAccessResponse): void {
    this.#beatMs = this.#deps.clock.monotonicMs();
    if (message.resync) this.#generation++;
    for (const [index, key] of message.changedKeys.entries()) {
      const hash = message.changedKeyHashes[index];
      if (hash === undefined) continue;
      this.#resolver.takeNews(hash, key);
      const slot = this.#byHash.get(nameOf(hash));
      if (slot === undefined) continue;
      const entry = readAccessEntry(key);
      if (entry === undefined) this.#drop(slot);
      else slot.entry = entry;
    }
    if (message.changedAccounts.length > 0) this.#takeAccounts(message);
  }

  get #isReachable(): boolean {
    return this.#deps.clock.monotonicMs() - this.#beatMs <= beatMsMax;
  }

  #findUnknown(secret: string): Promise<AccessEntry> {
    if (!looksLikeKey(secret)) throw new AppError("UNAUTHENTICATED");
    const untilMs = this.#unknownUntilMs.get(secret);
    if (untilMs !== undefined) {
      if (this.#deps.clock.monotonicMs() < untilMs) throw new AppError("UNAUTHENTICATED");
      this.#unknownUntilMs.delete(secret);
    }
    return this.#resolve(secret, undefined);
  }

  async #resolve(secret: string, known: Slot | undefined): Promise<AccessEntry> {
    const hash = known?.hash ?? createHmac("sha256", this.#deps.pepper).update(secret).digest();
    const generation = this.#generation;
    const key = await this.#resolver.resolve(hash).catch((error: unknown) => {
      if (known !== undefined && this.#deps.hasLease(known.entry.accountId)) return known;
      throw billingUnavailable(error);
    });
    if (key !== undefined && "entry" in key) return this.#checked(key.entry);
    const entry = key && readAccessEntry(key);
    if (entry === undefined) {
      if (known !== undefined) this.#drop(known);
      this.#rememberUnknown(secret);
      throw new AppError("UNAUTHENTICATED");
    }
    this.#keep({ secret, hash, entry, generation, isUsed: false });
    return this.#checked(entry);
  }

  #checked(entry: AccessEntry): AccessEntry {
    if (!entry.isActive) throw new AppError("UNAUTHENTICATED");
    if (entry.expireTimeMs !== Number.POSITIVE_INFINITY) {
      if (entry.expireTimeMs <= this.#deps.clock.nowMs()) throw new AppError("UNAUTHENTICATED");
    }
    return entry;
  }

  #takeAccounts(message: WatchAccessResponse): void {
    const accounts = new Map(message.changedAccounts.map((it) => [it.id, readAccount(it)]));
    for (const slot of this.#bySecret.values()) {
      const changed = accounts.get(slot.entry.accountId);
      if (changed !== undefined) slot.entry = { ...slot.entry, ...changed };
    }
  }

  #keep(slot: Slot): void {
    const known = this.#bySecret.get(slot.secret);
    if (known !== undefined) this.#drop(known);
    this.#bySecret.set(slot.secret, slot);
    this.#byHash.set(nameOf(slot.hash), slot);
    for (let looks = 0; this.#bySecret.size > keysMax; looks++) {
      const [oldest] = this.#bySecret.values();
      if (oldest === undefined) return;
      this.#drop(oldest);
      // A second chance for what was used since the last look; after a few looks somebody has to go.
      if (oldest.isUsed && looks < looksMax) {
        oldest.isUsed = false;
        this.#bySecret.set(oldest.secret, oldest);
        this.#byHash.set(nameOf(oldest.hash), oldest);
      }
    }
  }

  #drop(slot: Slot): void {
    this.#bySecret.delete(slot.secret);
    this.#byHash.delete(nameOf(slot.hash));
  }

  #rememberUnknown(secret: string): void {
    this.#unknownUntilMs.set(secret, this.#deps.clock.monotonicMs() + unknownMs);
    if (this.#unknownUntilMs.size <= unknownMax) return;
    const [oldest] = this.#unknownUntilMs.keys();
    if (oldest !== undefined) this.#unknownUntilMs.delete(oldest);
  }
}

type Slot = {
  readonly secret: string;
  readonly hash: Buffer;
  entry: AccessEntry;
  /** The resync that the entry is not older than. */
  readonly generation: number;
  isUsed: boolean;
};

function nameOf(hash: Uint8Array): string {
  return Buffer.from(hash.buffer, hash.byteOffset, hash.byteLength).toString("latin1");
}

const beatMsMax = 1000;
const keysMax = 50_000;
const looksMax = 64;
const unknownMs = 2000;
const unknownMax = 10_000;
