import { AppError } from "@farebox/kit/app-error";
import { parseId } from "@farebox/kit/ids";
import { formatNanos } from "@farebox/kit/money";
import type { Pool } from "@farebox/kit/mysql";
import type { Orm } from "@farebox/kit/orm";
import { type ChargeLine, explainCharge as explainPrice } from "@farebox/pricing/explain";
import { type PriceSnapshot, parseSnapshot } from "@farebox/pricing/snapshot";
import { deviceService } from "../domain/device-item.ts";
import type { Transaction } from "../domain/transaction.ts";
import { findAccount } from "../store/account-store.ts";
import { chargesOfTransactions, readRateCards } from "../store/device-charge-store.ts";
import { findSnapshots } from "../store/price-snapshot-store.ts";
import { findTransactions } from "../store/transaction-reader.ts";
import { type ExplainedDeviceCharge, explainStoredCharge } from "./explain-device-charge.ts";
import { type ListedTransaction, withCurrencies } from "./with-currencies.ts";

export type ExplainChargeDeps = { readonly orm: Orm; readonly pool: Pool };

/** How a transaction's cost comes about. */
export type ExplainedCharge = {
  readonly transaction: ListedTransaction;
  /** Undefined when nothing was consumed, the caller stated the amount, or the charge is a device's. */
  readonly snapshot: PriceSnapshot | undefined;
  readonly lines: readonly ChargeLine[];
  /** A decimal string of the account's currency. */
  readonly exactTotal: string;
  readonly text: string;
};

const attemptsMax = 100;

/**
 * Explains every attempt of a request, or the one transaction that is named by its own id, each from the prices it was
 * charged with. Errors: TRANSACTION_NOT_FOUND, also for an account that does not exist.
 */
export async function explainCharge(
  deps: ExplainChargeDeps,
  input: { readonly accountId: string; readonly requestId: string },
): Promise<readonly ExplainedCharge[]> {
  const { accountId, requestId } = input;
  const id = parseId("txn", requestId);
  const found = await deps.orm.read((em) => findAccount(em, accountId));
  const named = id ? { idHex: id.toString("hex") } : { requestId };
  const transactions = found
    ? await findTransactions(deps.pool, accountId, named, attemptsMax)
    : [];
  if (!found || transactions.length === 0) throw new AppError("TRANSACTION_NOT_FOUND");
  const devices = await explainDevices(deps.pool, accountId, transactions);
  return await deps.orm.read(async (em) => {
    const ids = transactions.flatMap((it) => (it.priceSnapshotId ? [it.priceSnapshotId] : []));
    const snapshots = await findSnapshots(em, ids);
    const listed = await withCurrencies(em, transactions);
    return listed
      .toSorted((a, b) => a.attempt - b.attempt)
      .map((it) => {
        const device = devices.get(hexOf(it.id));
        if (device !== undefined) return explainAsDevice(it, device);
        const json = it.priceSnapshotId && snapshots.get(hexOf(it.priceSnapshotId));
        return explain(it, json === undefined ? undefined : parseSnapshot(json));
      });
  });
}

/** The charges of devices among transactions, by the transactions' ids. */
async function explainDevices(
  pool: Pool,
  accountId: string,
  transactions: readonly Transaction[],
): Promise<ReadonlyMap<string, ExplainedDeviceCharge>> {
  const ids = transactions.filter((it) => it.service === deviceService).map((it) => hexOf(it.id));
  const charges = await chargesOfTransactions(pool, accountId, ids);
  const cards = await readRateCards(
    pool,
    charges.map((charge) => charge.rateCardId),
  );
  return new Map(charges.map((charge) => [charge.id, explainStoredCharge(charge, cards)]));
}

function explainAsDevice(
  transaction: ListedTransaction,
  { exact, text }: ExplainedDeviceCharge,
): ExplainedCharge {
  return { transaction, snapshot: undefined, lines: [], exactTotal: exact, text };
}

function explain(
  transaction: ListedTransaction,
  snapshot: PriceSnapshot | undefined,
): ExplainedCharge {
  const cost = formatNanos(transaction.costNanos);
  const charged = `charged ${cost} ${transaction.currencyCode}`;
  if (snapshot === undefined) {
    const why =
      transaction.costNanos === 0n ? "nothing was charged" : `${charged}, as the caller stated`;
    return { transaction, snapshot, lines: [], exactTotal: cost, text: why };
  }
  const explained = explainPrice(snapshot, transaction.usage);
  const { lines } = explained;
  if (explained.roundedNanos === transaction.costNanos) {
    return { transaction, snapshot, lines, exactTotal: explained.exact, text: explained.text };
  }
  // The price says what it would have cost: free units covered it, or the account's policy let it go.
  const units = transaction.freeUnits;
  const why = units > 0n ? `covered by ${units} free units` : "by the account's rules";
  return {
    transaction,
    snapshot,
    lines,
    exactTotal: explained.exact,
    text: `${explained.text}\n${why}: ${charged}`,
  };
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
