import { createHash } from "node:crypto";
import { type CompiledPrice, compilePrice } from "@farebox/pricing/compiled-price";
import type { Price } from "@farebox/pricing/price";
import {
  canonicalSnapshot,
  makeSnapshot,
  type PriceSnapshot,
  type PriceTerms,
} from "@farebox/pricing/snapshot";

/** A snapshot as it is stored, pushed and charged with. */
export type PriceSheet = {
  /** The first 16 bytes of the SHA-256 of `json`. */
  readonly id: Buffer;
  readonly json: string;
  readonly snapshot: PriceSnapshot;
  /** Compiled at first use: most models are never called. */
  compiled(): CompiledPrice;
};

/** Makes each sheet once, so that a rebuilt catalogue costs only what is new in it. */
export type SnapshotShelf = {
  sheetOf(price: Price, terms: PriceTerms): PriceSheet;
};

export function createSnapshotShelf(): SnapshotShelf {
  // Prices are kept by identity: a catalogue that drops one lets its sheets go.
  const sheets = new WeakMap<Price, Map<string, PriceSheet>>();
  return {
    sheetOf: (price, terms) => {
      const byTerms = sheets.get(price) ?? new Map<string, PriceSheet>();
      sheets.set(price, byTerms);
      const name = `${terms.accountCurrency} ${terms.exchangeRate} ${terms.markup ?? "1"}`;
      const sheet = byTerms.get(name) ?? makeSheet(makeSnapshot(price, terms));
      byTerms.set(name, sheet);
      return sheet;
    },
  };
}

function makeSheet(snapshot: PriceSnapshot): PriceSheet {
  const json = canonicalSnapshot(snapshot);
  let compiled: CompiledPrice | undefined;
  return {
    id: snapshotId(json),
    json,
    snapshot,
    compiled: () => {
      compiled ??= compilePrice(snapshot);
      return compiled;
    },
  };
}

/** The id of a snapshot: the first 16 bytes of the SHA-256 of its canonical JSON. */
export function snapshotId(json: string): Buffer {
  return createHash("sha256").update(json).digest().subarray(0, 16);
}
