import { deviceDimensions } from "@farebox/pricing/device-usage";
import type { PoolConnection, RowDataPacket } from "mysql2/promise";
import {
  type DeviceQuantity,
  type DeviceReport,
  deviceQualities,
  periodMsMax,
} from "../domain/device-report.ts";
import { oneOf } from "./mapping.ts";
import type { Queryable } from "./queryable.ts";
import { quoteHex, quoteText, quoteTime, readTime, timeText } from "./sql-text.ts";

/** A charged period of an allocation. Never changed. */
export type DeviceChargeRow = Omit<DeviceReport, "leaseId"> & {
  /** The transaction's, 32 hex digits. */
  readonly id: string;
  /** Of all that the report says, its request id apart, in hex. */
  readonly sha256: string;
  readonly rateCardId: string;
  readonly charged: bigint;
  /** Fractions of a nano, such as "7/3600". */
  readonly carriedIn: string;
  readonly carriedOut: string;
  readonly createTimeMs: number;
};

/** What an allocation was charged so far leaves over: parts of the card's denominator. */
export type DeviceMeter = {
  readonly accountId: string;
  /** Empty before the first charge. */
  readonly rateCardId: string;
  readonly carry: bigint;
};

/** Locks an allocation's meter, making it when there is none: its periods are charged one after another. */
export async function lockMeter(
  tx: PoolConnection,
  of: Pick<DeviceReport, "allocationId" | "accountId">,
): Promise<DeviceMeter> {
  const allocation = quoteText(of.allocationId);
  await tx.query(
    `INSERT INTO device_meter (allocation_id, account_id) VALUES (${allocation}, ${quoteText(of.accountId)})
     ON DUPLICATE KEY UPDATE allocation_id = allocation_id`,
  );
  const [rows] = await tx.query<MeterRow[]>(
    `SELECT account_id, LOWER(HEX(rate_card_id)) AS card_hex, carry FROM device_meter
     WHERE allocation_id = ${allocation} FOR UPDATE`,
  );
  const [row] = rows;
  if (row === undefined) throw new Error("a device's meter is gone");
  return { accountId: row.account_id, rateCardId: row.card_hex ?? "", carry: BigInt(row.carry) };
}

/** Writes what the allocation's last charge left over. */
export async function saveMeter(
  tx: PoolConnection,
  allocationId: string,
  meter: Pick<DeviceMeter, "rateCardId" | "carry">,
): Promise<void> {
  await tx.query(
    `UPDATE device_meter SET rate_card_id = ${quoteHex(meter.rateCardId)}, carry = '${meter.carry}'
     WHERE allocation_id = ${quoteText(allocationId)}`,
  );
}

/** Reads the charge of the very same period. */
export async function readDeviceCharge(
  db: Queryable,
  of: Pick<DeviceReport, "allocationId" | "periodStartMs" | "periodEndMs">,
): Promise<DeviceChargeRow | undefined> {
  const [rows] = await db.query<ChargeRow[]>(
    `${select} WHERE allocation_id = ${quoteText(of.allocationId)}
       AND period_start = ${quoteTime(of.periodStartMs)} AND period_end = ${quoteTime(of.periodEndMs)}`,
  );
  return rows[0] && toCharge(rows[0]);
}

/** Whether another period of the allocation overlaps with this one. */
export async function hasOverlap(
  db: Queryable,
  of: Pick<DeviceReport, "allocationId" | "periodStartMs" | "periodEndMs">,
): Promise<boolean> {
  const earliestMs = Math.max(0, of.periodStartMs - periodMsMax);
  const [rows] = await db.query<RowDataPacket[]>(
    `SELECT 1 FROM device_charge WHERE allocation_id = ${quoteText(of.allocationId)}
       AND period_start >= ${quoteTime(earliestMs)} AND period_start < ${quoteTime(of.periodEndMs)}
       AND period_end > ${quoteTime(of.periodStartMs)} LIMIT 1`,
  );
  return rows.length > 0;
}

/** Whether a charge of the account has this request id. */
export async function isDeviceRequestUsed(
  db: Queryable,
  of: Pick<DeviceReport, "accountId" | "requestId">,
): Promise<boolean> {
  const [rows] = await db.query<RowDataPacket[]>(
    `SELECT 1 FROM device_charge WHERE account_id = ${quoteText(of.accountId)} AND request_id = ${quoteText(of.requestId)}`,
  );
  return rows.length > 0;
}

/** Writes a charge. Throws a duplicate when its period or its request id was charged before. */
export async function insertDeviceCharge(tx: PoolConnection, row: DeviceChargeRow): Promise<void> {
  await tx.query("INSERT INTO device_charge SET ?", [
    {
      allocation_id: row.allocationId,
      period_start: timeText(row.periodStartMs),
      period_end: timeText(row.periodEndMs),
      id: Buffer.from(row.id, "hex"),
      account_id: row.accountId,
      request_id: row.requestId,
      sha256: Buffer.from(row.sha256, "hex"),
      device_id: row.deviceId,
      user_id: row.userId,
      quantities: spellQuantities(row.quantities),
      rate_card_id: Buffer.from(row.rateCardId, "hex"),
      charged: row.charged,
      carried_in: row.carriedIn,
      carried_out: row.carriedOut,
      create_time: timeText(row.createTimeMs),
    },
  ]);
}

/** Stores a rate card. It is named by its content, so that storing one again changes nothing. */
export async function keepRateCard(
  tx: PoolConnection,
  card: { readonly id: string; readonly json: string; readonly nowMs: number },
): Promise<void> {
  await tx.query(
    `INSERT INTO device_rate_card (id, content, create_time)
     VALUES (${quoteHex(card.id)}, ${quoteText(card.json)}, ${quoteTime(card.nowMs)}) ON DUPLICATE KEY UPDATE id = id`,
  );
}

/** Rate cards as JSON, by id; unknown ones are left out. */
export async function readRateCards(
  db: Queryable,
  ids: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  if (ids.length === 0) return new Map();
  const [rows] = await db.query<
    (RowDataPacket & { readonly hex: string; readonly content: string })[]
  >(
    `SELECT LOWER(HEX(id)) AS hex, content FROM device_rate_card WHERE id IN (${ids.map(quoteHex).join(",")})`,
  );
  return new Map(rows.map(({ hex, content }) => [hex, content]));
}

export type DeviceChargeFilter = {
  /** Empty for every account. */
  readonly accountId: string;
  /** Empty for every allocation. */
  readonly allocationId: string;
};

/** Reads charges, newest first, after an id. */
export async function listDeviceCharges(
  db: Queryable,
  filter: DeviceChargeFilter,
  page: { readonly after: string | undefined; readonly limit: number },
): Promise<readonly DeviceChargeRow[]> {
  const { accountId, allocationId } = filter;
  const conditions = [
    ...(accountId === "" ? [] : [`account_id = ${quoteText(accountId)}`]),
    ...(allocationId === "" ? [] : [`allocation_id = ${quoteText(allocationId)}`]),
    ...(page.after === undefined ? [] : [`id < ${quoteHex(page.after)}`]),
  ];
  const where = ["TRUE", ...conditions].join(" AND ");
  const [rows] = await db.query<ChargeRow[]>(
    `${select} WHERE ${where} ORDER BY id DESC LIMIT ${page.limit}`,
  );
  return rows.map(toCharge);
}

/** Reads the charges that transactions were written for, by their ids. */
export async function chargesOfTransactions(
  db: Queryable,
  accountId: string,
  ids: readonly string[],
): Promise<readonly DeviceChargeRow[]> {
  if (ids.length === 0) return [];
  const [rows] = await db.query<ChargeRow[]>(
    `${select} WHERE account_id = ${quoteText(accountId)} AND id IN (${ids.map(quoteHex).join(",")})`,
  );
  return rows.map(toCharge);
}

const select = `SELECT LOWER(HEX(id)) AS hex, account_id, allocation_id, device_id, user_id, request_id, LOWER(HEX(sha256)) AS sha_hex,
    CAST(period_start AS CHAR) AS start_text, CAST(period_end AS CHAR) AS end_text, quantities,
    LOWER(HEX(rate_card_id)) AS card_hex, charged, carried_in, carried_out, CAST(create_time AS CHAR) AS create_text
  FROM device_charge`;

type MeterRow = RowDataPacket & {
  readonly account_id: string;
  readonly card_hex: string | null;
  readonly carry: string;
};

type ChargeRow = RowDataPacket & {
  readonly hex: string;
  readonly account_id: string;
  readonly allocation_id: string;
  readonly device_id: string;
  readonly user_id: string;
  readonly request_id: string;
  readonly sha_hex: string;
  readonly start_text: string;
  readonly end_text: string;
  readonly quantities: string;
  readonly card_hex: string;
  readonly charged: bigint;
  readonly carried_in: string;
  readonly carried_out: string;
  readonly create_text: string;
};

function toCharge(row: ChargeRow): DeviceChargeRow {
  return {
    id: row.hex,
    accountId: row.account_id,
    allocationId: row.allocation_id,
    deviceId: row.device_id,
    userId: row.user_id,
    requestId: row.request_id,
    sha256: row.sha_hex,
    periodStartMs: readTime(row.start_text),
    periodEndMs: readTime(row.end_text),
    quantities: readQuantities(row.quantities),
    rateCardId: row.card_hex,
    charged: row.charged,
    carriedIn: row.carried_in,
    carriedOut: row.carried_out,
    createTimeMs: readTime(row.create_text),
  };
}

/** "cpuNanoseconds 7 MEASURED", joined by commas. */
function spellQuantities(quantities: readonly DeviceQuantity[]): string {
  return quantities
    .map(({ dimension, counted, quality }) => `${dimension} ${counted} ${quality}`)
    .join(",");
}

function readQuantities(text: string): readonly DeviceQuantity[] {
  return text.split(",").map((part) => {
    const [dimension = "", counted = "", quality = ""] = part.split(" ");
    return {
      dimension: oneOf(deviceDimensions, dimension),
      counted: BigInt(counted),
      quality: oneOf(deviceQualities, quality),
    };
  });
}
