import type { Measurable } from "./choose-node.ts";
import type { Resources } from "./resources.ts";

/** A container engine that takes devices. */
export type DeviceNode = {
  /** 32 hex digits. */
  readonly id: string;
  readonly displayName: string;
  readonly engineUrl: string;
  readonly isDraining: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly capacity: Resources;
  readonly measurable: Measurable;
  readonly engineVersion: string;
  /** When its engine last answered; undefined when it never has. */
  readonly heartbeatMs: number | undefined;
  readonly createMs: number;
};

export type NodeState = "ACTIVE" | "DRAINING" | "LOST";

/** A node is lost once its engine has been silent for `silentMsMax`. */
export function nodeState(
  node: Pick<DeviceNode, "isDraining" | "heartbeatMs">,
  nowMs: number,
  silentMsMax: number,
): NodeState {
  if (node.heartbeatMs === undefined || nowMs - node.heartbeatMs > silentMsMax) return "LOST";
  return node.isDraining ? "DRAINING" : "ACTIVE";
}
