import type { CallRecord } from "../make-call.ts";
import type { Customer } from "../office.ts";

/** Who a pressing process calls for, where, and how hard. */
export type LoadOrder = {
  readonly gatewayUrls: readonly string[];
  readonly customers: readonly Customer[];
  /** Calls in flight at any moment, over all gateways. */
  readonly clients: number;
  readonly seed: number;
};

/** What the pressing process is told: an order, once, and then to stop. */
export type LoadCommand =
  | { readonly kind: "begin"; readonly order: LoadOrder }
  | { readonly kind: "stop" };

/** What it says: how many calls were answered in full so far; after the stop every call it made, in parts; and that this was all. */
export type LoadNews =
  | { readonly kind: "progress"; readonly completed: number }
  | { readonly kind: "records"; readonly records: readonly CallRecord[] }
  | { readonly kind: "end" };
