import type { CallFault } from "../domain/call.ts";
import { type JsonObject, objectOf, parseJson } from "../domain/json-value.ts";
import { repeatedMember } from "./repeated-member.ts";

/** A request body while it is read: its bytes as Latin-1 text, and its members. */
export type OpenBody = { readonly text: string; readonly root: JsonObject };

/**
 * Opens a request body. It is parsed as Latin-1, which never has to decode (a quarter cheaper for a prompt beyond ASCII):
 * JSON's structure is ASCII either way, and the one string the gateway reads is decoded alone.
 */
export function openBody(body: Buffer): OpenBody | CallFault {
  const text = body.toString("latin1");
  const root = objectOf(parseJson(text));
  return root === undefined ? fault("body", "must be a JSON object") : { text, root };
}

/** Makes the refusal of a field. */
export function fault(field: string, message: string): CallFault {
  return { kind: "fault", field, message };
}

/** Tells a fault from a value that was read. */
export function isFault(value: unknown): value is CallFault {
  return objectOf(value)?.kind === "fault";
}

/** Reads the model's name. */
export function readModel({ root }: OpenBody): string | CallFault {
  const value = root.model;
  if (value === undefined) return fault("model", "is required");
  if (typeof value !== "string") return fault("model", "must be a string");
  const model = decode(value);
  if (model === "" || model.length > 256) return fault("model", "must have 1 to 256 characters");
  return model;
}

/** Reads a switch; absent and null are false. */
export function readBoolean(from: JsonObject, key: string, path = key): boolean | CallFault {
  const value = from[key];
  if (value === undefined || value === null) return false;
  return typeof value === "boolean" ? value : fault(path, "must be true or false");
}

/** Reads a whole number of at least 1; absent and null are undefined. */
export function readCount(
  from: JsonObject,
  key: string,
  max: number = Number.MAX_SAFE_INTEGER,
): number | undefined | CallFault {
  const value = from[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= max)
    return value;
  return fault(
    key,
    max < Number.MAX_SAFE_INTEGER
      ? `must be a whole number from 1 to ${max}`
      : "must be a whole number of at least 1",
  );
}

/** Refuses a body that repeats one of the members a charge depends on. */
export function readRepeated({ text }: OpenBody, names: readonly string[]): undefined | CallFault {
  const name = repeatedMember(text, names);
  return name === undefined ? undefined : fault(name, "must not be repeated");
}

/** The text that Latin-1 characters stand for as UTF-8 bytes. */
function decode(latin1: string): string {
  for (let at = 0; at < latin1.length; at++) {
    if (latin1.charCodeAt(at) > 127) return Buffer.from(latin1, "latin1").toString("utf8");
  }
  return latin1;
}
