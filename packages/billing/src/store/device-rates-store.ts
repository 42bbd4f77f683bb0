import { type DeviceRates, deviceRatesDefault } from "@farebox/pricing/device-rates";
import { type DeviceDimension, deviceDimensions } from "@farebox/pricing/device-usage";
import type { EntityManager } from "@mikro-orm/mysql";
import type { RowDataPacket } from "mysql2/promise";
import type { Queryable } from "./queryable.ts";
import { quoteHex, quoteTime, readTime } from "./sql-text.ts";

/** One version of what devices cost, in the operator's words. */
export type DeviceRatesVersion = {
  /** 32 hex digits; empty for the one that an installation begins with. */
  readonly id: string;
  readonly currency: string;
  readonly rates: DeviceRates;
  readonly markup: string;
  readonly effectiveFromMs: number;
};

/** What an installation begins with: in force until another is. */
export const firstDeviceRates: DeviceRatesVersion = {
  id: "",
  currency: "USD",
  rates: deviceRatesDefault,
  markup: "1",
  effectiveFromMs: 0,
};

/** Writes a version. It is never changed. */
export async function insertDeviceRates(
  em: EntityManager,
  version: DeviceRatesVersion,
  nowMs: number,
): Promise<void> {
  const { id, currency, markup, rates, effectiveFromMs } = version;
  await em.execute(
    "INSERT INTO device_rates (id, effective_time, content, create_time) VALUES (?, ?, ?, ?)",
    [
      Buffer.from(id, "hex"),
      new Date(effectiveFromMs),
      JSON.stringify({ currency, markup, rates }),
      new Date(nowMs),
    ],
  );
}

/** The version in force at an instant: of those that take effect at once the one that was set last. */
export async function deviceRatesAt(db: Queryable, atMs: number): Promise<DeviceRatesVersion> {
  const [rows] = await db.query<RatesRow[]>(
    `${select} WHERE effective_time <= ${quoteTime(atMs)} ORDER BY effective_time DESC, id DESC LIMIT 1`,
  );
  return rows[0] === undefined ? firstDeviceRates : toVersion(rows[0]);
}

/** Reads one version. */
export async function findDeviceRates(
  db: Queryable,
  id: string,
): Promise<DeviceRatesVersion | undefined> {
  const [rows] = await db.query<RatesRow[]>(`${select} WHERE id = ${quoteHex(id)}`);
  return rows[0] && toVersion(rows[0]);
}

/** Reads versions, the latest to take effect first, after one of them. */
export async function listDeviceRates(
  db: Queryable,
  page: {
    readonly after: { readonly effectiveFromMs: number; readonly id: string } | undefined;
    readonly limit: number;
  },
): Promise<readonly DeviceRatesVersion[]> {
  const { after } = page;
  const where =
    after === undefined
      ? ""
      : `WHERE (effective_time, id) < (${quoteTime(after.effectiveFromMs)}, ${quoteHex(after.id)})`;
  const [rows] = await db.query<RatesRow[]>(
    `${select} ${where} ORDER BY effective_time DESC, id DESC LIMIT ${page.limit}`,
  );
  return rows.map(toVersion);
}

const select =
  "SELECT LOWER(HEX(id)) AS hex, content, CAST(effective_time AS CHAR) AS effective_text FROM device_rates";

type RatesRow = RowDataPacket & {
  readonly hex: string;
  readonly content: string;
  readonly effective_text: string;
};

function toVersion({ hex, content, effective_text }: RatesRow): DeviceRatesVersion {
  const stored: unknown = JSON.parse(content);
  const rates = recordOf(recordOf(stored).rates);
  const rate = (dimension: DeviceDimension) => String(rates[dimension]);
  const [cpu, memory, storage, network, gpu] = deviceDimensions.map(rate);
  return {
    id: hex,
    currency: String(recordOf(stored).currency),
    markup: String(recordOf(stored).markup),
    rates: {
      cpuNanoseconds: cpu ?? "",
      memoryByteMilliseconds: memory ?? "",
      storageByteMilliseconds: storage ?? "",
      networkBytes: network ?? "",
      gpuNanoseconds: gpu ?? "",
    },
    effectiveFromMs: readTime(effective_text),
  };
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) throw new Error("device rates are not a record");
  return { ...value };
}
