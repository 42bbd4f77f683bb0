import type { ServerResponse } from "node:http";
import type { Attempt, Outcome } from "./attempt-log.ts";
import type { Demand } from "./demand.ts";
import type { Dialect } from "./dialect.ts";

/** A call that was read and is to be answered. */
export type Call = {
  readonly dialect: Dialect;
  readonly demand: Demand;
  readonly id: string;
  readonly res: ServerResponse;
};

/** What was handed to the socket when an answer ended. */
export type Delivery = {
  readonly outcome: Outcome;
  readonly status: number;
  readonly bytes: number;
  readonly chunks: number;
  readonly usageSent: Attempt["usageSent"];
};

/** The response headers of every answer, as node's flat list of names and values. */
export function headers(call: Call, type: string): string[] {
  return ["content-type", type, call.dialect.idHeader, call.id];
}
