import { type Queryable, readTime, toBytes, toTime } from "@farebox/kit/column-values";
import type { ResultSetHeader, RowDataPacket } from "mysql2/promise";
import type { DeviceNode } from "../domain/device-node.ts";

/**
 * Adds a node, or changes the one of that name, which keeps its id. Resolves with the node as it is kept; undefined when another one
 * has that engine.
 */
export async function saveNode(db: Queryable, node: DeviceNode): Promise<DeviceNode | undefined> {
  const changed = {
    engine_url: node.engineUrl,
    labels: JSON.stringify(node.labels),
    cpu_millis: node.capacity.cpuMillis,
    memory_mb: node.capacity.memoryMb,
    storage_mb: node.capacity.storageMb,
    measures_cpu: node.measurable.cpu ? 1 : 0,
    measures_memory: node.measurable.memory ? 1 : 0,
    measures_network: node.measurable.network ? 1 : 0,
    engine_version: node.engineVersion.slice(0, 64),
    heartbeat_time: toTime(node.heartbeatMs),
  };
  const row = {
    ...{ id: toBytes(node.id), display_name: node.displayName, ...changed },
    create_time: toTime(node.createMs),
  };
  const [others] = await db.query<NodeRow[]>(
    `${select} WHERE engine_url = ? AND display_name <> ? FOR UPDATE`,
    [node.engineUrl, node.displayName],
  );
  if (others.length > 0) return undefined;
  await db.query("INSERT INTO node SET ? ON DUPLICATE KEY UPDATE ?", [row, changed]);
  const [rows] = await db.query<NodeRow[]>(`${select} WHERE display_name = ?`, [node.displayName]);
  return rows[0] && toNode(rows[0]);
}

export async function readNode(db: Queryable, id: string): Promise<DeviceNode | undefined> {
  const [rows] = await db.query<NodeRow[]>(`${select} WHERE id = ?`, [toBytes(id)]);
  return rows[0] && toNode(rows[0]);
}

/** Locks a node: what it promises is counted and added to under this lock. */
export async function lockNode(db: Queryable, id: string): Promise<DeviceNode | undefined> {
  const [rows] = await db.query<NodeRow[]>(`${select} WHERE id = ? FOR UPDATE`, [toBytes(id)]);
  return rows[0] && toNode(rows[0]);
}

export async function listNodes(db: Queryable, limit: number): Promise<readonly DeviceNode[]> {
  const [rows] = await db.query<NodeRow[]>(`${select} ORDER BY display_name LIMIT ?`, [limit]);
  return rows.map(toNode);
}

/** False when there is no such node. */
export async function setDraining(
  db: Queryable,
  id: string,
  isDraining: boolean,
): Promise<boolean> {
  const [result] = await db.query<ResultSetHeader>("UPDATE node SET is_draining = ? WHERE id = ?", [
    isDraining ? 1 : 0,
    toBytes(id),
  ]);
  return result.affectedRows === 1;
}

/** Takes a node to collect from, or keeps it: one process at a time, as long as it renews. Two at once would do no harm. */
export async function claimNode(
  db: Queryable,
  of: {
    readonly id: string;
    readonly collectorId: string;
    readonly nowMs: number;
    readonly untilMs: number;
  },
): Promise<boolean> {
  const [result] = await db.query<ResultSetHeader>(
    `UPDATE node SET collector_id = ?, collector_until = ?
      WHERE id = ? AND (collector_id = ? OR collector_until IS NULL OR collector_until < ?)`,
    [of.collectorId, toTime(of.untilMs), toBytes(of.id), of.collectorId, toTime(of.nowMs)],
  );
  return result.affectedRows === 1;
}

/** Gives back what this process collects from, so that another need not wait. */
export async function releaseNodes(db: Queryable, collectorId: string): Promise<void> {
  await db.query("UPDATE node SET collector_until = NULL WHERE collector_id = ?", [collectorId]);
}

export async function markHeartbeat(db: Queryable, id: string, nowMs: number): Promise<void> {
  await db.query("UPDATE node SET heartbeat_time = ? WHERE id = ?", [toTime(nowMs), toBytes(id)]);
}

/** This installation's name on containers. */
export async function readInstallation(db: Queryable): Promise<string> {
  const [rows] = await db.query<NodeRow[]>("SELECT LOWER(HEX(id)) AS id_hex FROM installation");
  const id = rows[0]?.id_hex;
  if (id === undefined) throw new Error("the schema has no installation: run npm run migrate");
  return id;
}

const select = `SELECT LOWER(HEX(id)) AS id_hex, display_name, engine_url, is_draining, labels, cpu_millis, memory_mb, storage_mb,
    measures_cpu, measures_memory, measures_network, engine_version, CAST(heartbeat_time AS CHAR) AS heartbeat_text,
    CAST(create_time AS CHAR) AS create_text FROM node`;

type NodeRow = RowDataPacket & {
  readonly id_hex: string;
  readonly display_name: string;
  readonly engine_url: string;
  readonly is_draining: number;
  readonly labels: string;
  readonly cpu_millis: number;
  readonly memory_mb: number;
  readonly storage_mb: number;
  readonly measures_cpu: number;
  readonly measures_memory: number;
  readonly measures_network: number;
  readonly engine_version: string;
  readonly heartbeat_text: string | null;
  readonly create_text: string;
};

function toNode(row: NodeRow): DeviceNode {
  const labels: Record<string, string> = JSON.parse(row.labels);
  return {
    id: row.id_hex,
    displayName: row.display_name,
    engineUrl: row.engine_url,
    isDraining: row.is_draining === 1,
    labels,
    capacity: { cpuMillis: row.cpu_millis, memoryMb: row.memory_mb, storageMb: row.storage_mb },
    measurable: {
      cpu: row.measures_cpu === 1,
      memory: row.measures_memory === 1,
      network: row.measures_network === 1,
    },
    engineVersion: row.engine_version,
    heartbeatMs: readTime(row.heartbeat_text),
    createMs: readTime(row.create_text) ?? 0,
  };
}
