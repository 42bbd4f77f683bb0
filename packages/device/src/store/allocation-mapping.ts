import { oneOf, readTime, toBytes, toTime } from "@farebox/kit/column-values";
import type { Nanos } from "@farebox/kit/money";
import type { RowDataPacket } from "mysql2/promise";
import { type Allocation, allocationStates, endReasons, holdStates } from "../domain/allocation.ts";
import type { DeviceAsk } from "../domain/device-ask.ts";
import { priceModes } from "../domain/owed-usage.ts";

/** Reads every column as `toAllocation` wants it. */
export const selectAllocation = `SELECT LOWER(HEX(id)) AS id_hex, account_id, request_id, content_sha256, ask, state, end_reason, end_note,
    LOWER(HEX(node_id)) AS node_hex, container_id, CAST(book_time AS CHAR) AS book_text, CAST(queue_until AS CHAR) AS queue_text,
    CAST(place_time AS CHAR) AS place_text,
    CAST(start_time AS CHAR) AS start_text, CAST(lease_end_time AS CHAR) AS lease_end_text, CAST(seen_time AS CHAR) AS seen_text,
    CAST(end_time AS CHAR) AS end_text, term_ms, cpu_mode, memory_mode, is_traffic_sold, hold_state, lease_id, hold, currency_code, rate_card,
    CAST(reported_time AS CHAR) AS reported_text, reported_cpu, reported_memory, reported_storage, reported_network,
    CAST(stop_time AS CHAR) AS stop_text, money_asks, money_ask, money_ask_rest_ms, CAST(create_time AS CHAR) AS create_text
  FROM allocation`;

export type AllocationRow = RowDataPacket & {
  readonly id_hex: string;
  readonly account_id: string;
  readonly request_id: string;
  readonly content_sha256: string;
  readonly ask: string;
  readonly state: string;
  readonly end_reason: string | null;
  readonly end_note: string;
  readonly node_hex: string | null;
  readonly container_id: string;
  readonly book_text: string | null;
  readonly queue_text: string | null;
  readonly place_text: string | null;
  readonly start_text: string | null;
  readonly lease_end_text: string | null;
  readonly seen_text: string | null;
  readonly end_text: string | null;
  readonly term_ms: bigint;
  readonly cpu_mode: string;
  readonly memory_mode: string;
  readonly is_traffic_sold: number;
  readonly hold_state: string;
  readonly lease_id: string;
  readonly hold: Nanos;
  readonly currency_code: string;
  readonly rate_card: string;
  readonly reported_text: string | null;
  readonly reported_cpu: string;
  readonly reported_memory: string;
  readonly reported_storage: string;
  readonly reported_network: string;
  readonly stop_text: string | null;
  readonly money_asks: number;
  readonly money_ask: Nanos | null;
  readonly money_ask_rest_ms: bigint | null;
  readonly create_text: string;
};

export function toAllocation(row: AllocationRow): Allocation {
  const ask: DeviceAsk = JSON.parse(row.ask);
  return {
    id: row.id_hex,
    accountId: row.account_id,
    requestId: row.request_id,
    contentSha256: row.content_sha256,
    ask,
    state: oneOf(allocationStates, row.state),
    endReason: row.end_reason === null ? undefined : oneOf(endReasons, row.end_reason),
    endNote: row.end_note,
    nodeId: row.node_hex ?? "",
    containerId: row.container_id,
    bookMs: readTime(row.book_text),
    queueUntilMs: readTime(row.queue_text),
    placedMs: readTime(row.place_text),
    startMs: readTime(row.start_text),
    leaseEndMs: readTime(row.lease_end_text),
    seenMs: readTime(row.seen_text),
    endMs: readTime(row.end_text),
    termMs: Number(row.term_ms),
    modes: { cpu: oneOf(priceModes, row.cpu_mode), memory: oneOf(priceModes, row.memory_mode) },
    isTrafficSold: row.is_traffic_sold === 1,
    holdState: oneOf(holdStates, row.hold_state),
    leaseId: row.lease_id,
    hold: row.hold,
    currencyCode: row.currency_code,
    rateCardJson: row.rate_card,
    reportedMs: readTime(row.reported_text),
    reported: {
      cpuNanoseconds: BigInt(row.reported_cpu),
      memoryByteMilliseconds: BigInt(row.reported_memory),
      storageByteMilliseconds: BigInt(row.reported_storage),
      networkBytes: BigInt(row.reported_network),
      gpuNanoseconds: 0n,
    },
    stopMs: readTime(row.stop_text),
    moneyAsks: row.money_asks,
    moneyAsk:
      row.money_ask === null
        ? undefined
        : { amount: row.money_ask, restMs: Number(row.money_ask_rest_ms ?? 0n) },
    createMs: readTime(row.create_text) ?? 0,
  };
}

/** What of an allocation may change after it was made. */
export type AllocationChange = Partial<
  Pick<
    Allocation,
    | "state"
    | "endReason"
    | "endNote"
    | "nodeId"
    | "containerId"
    | "placedMs"
    | "startMs"
    | "leaseEndMs"
    | "seenMs"
    | "endMs"
    | "termMs"
    | "holdState"
    | "leaseId"
    | "hold"
    | "currencyCode"
    | "rateCardJson"
    | "reportedMs"
    | "reported"
    | "stopMs"
    | "moneyAsks"
    | "moneyAsk"
    | "isTrafficSold"
  >
> & {
  /** When something is next to be done for it; undefined leaves that as it is, null says that nothing is. */
  readonly dueMs?: number | null;
  readonly isTermWarned?: boolean;
};

/** The columns of a change. A key that is there with `undefined` empties its column. */
export function columnsOf(change: AllocationChange): Record<string, unknown> {
  const columns: Record<string, unknown> = {};
  const put = (key: keyof AllocationChange, column: string, value: () => unknown) => {
    if (key in change) columns[column] = value();
  };
  const time = (ms: number | undefined | null) => toTime(ms ?? undefined);
  put("state", "state", () => change.state);
  put("endReason", "end_reason", () => change.endReason ?? null);
  put("endNote", "end_note", () => change.endNote?.slice(0, 255));
  put("nodeId", "node_id", () => (change.nodeId ? toBytes(change.nodeId) : null));
  put("containerId", "container_id", () => change.containerId);
  put("placedMs", "place_time", () => time(change.placedMs));
  put("startMs", "start_time", () => time(change.startMs));
  put("leaseEndMs", "lease_end_time", () => time(change.leaseEndMs));
  put("seenMs", "seen_time", () => time(change.seenMs));
  put("endMs", "end_time", () => time(change.endMs));
  put("termMs", "term_ms", () => change.termMs);
  put("holdState", "hold_state", () => change.holdState);
  put("leaseId", "lease_id", () => change.leaseId);
  put("hold", "hold", () => change.hold);
  put("currencyCode", "currency_code", () => change.currencyCode);
  put("rateCardJson", "rate_card", () => change.rateCardJson);
  put("reportedMs", "reported_time", () => time(change.reportedMs));
  put("stopMs", "stop_time", () => time(change.stopMs));
  put("moneyAsks", "money_asks", () => change.moneyAsks);
  put("dueMs", "due_time", () => time(change.dueMs));
  put("isTrafficSold", "is_traffic_sold", () => (change.isTrafficSold ? 1 : 0));
  put("moneyAsk", "money_ask", () => change.moneyAsk?.amount ?? null);
  put("moneyAsk", "money_ask_rest_ms", () => change.moneyAsk?.restMs ?? null);
  put("isTermWarned", "is_term_warned", () => (change.isTermWarned ? 1 : 0));
  if (change.reported !== undefined) {
    // As text: the columns are wider than BIGINT, and decimals are compared with nothing but themselves.
    columns.reported_cpu = change.reported.cpuNanoseconds.toString();
    columns.reported_memory = change.reported.memoryByteMilliseconds.toString();
    columns.reported_storage = change.reported.storageByteMilliseconds.toString();
    columns.reported_network = change.reported.networkBytes.toString();
  }
  return columns;
}
