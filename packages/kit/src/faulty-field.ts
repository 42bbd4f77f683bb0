import { type DescField, type DescMessage, fromJson, type JsonValue } from "@bufbuild/protobuf";

/** The field that a JSON body got wrong, as a path in proto naming such as `amount.amount_nanos`, and why. */
export type FaultyField = { readonly field: string; readonly why: string };

/**
 * Finds the first field of a JSON body that does not fit its message. Undefined when every field fits, or when the body is not an
 * object. Slow, and only for bodies that were refused already: Connect says that one is at fault, but not always which.
 */
export function findFaultyField(desc: DescMessage, body: JsonValue): FaultyField | undefined {
  if (!isRecord(body)) return undefined;
  for (const [key, value] of Object.entries(body)) {
    const field = desc.fields.find((it) => it.jsonName === key || it.name === key);
    if (field === undefined) return { field: key, why: "is not a field of this request" };
    if (fits(desc, key, value)) continue;
    return faultWithin(field, value) ?? { field: field.name, why: `is not ${wanted(field)}` };
  }
  return undefined;
}

function fits(desc: DescMessage, key: string, value: JsonValue): boolean {
  try {
    fromJson(desc, { [key]: value });
    return true;
  } catch {
    return false;
  }
}

/** The fault inside a message or a list of messages; undefined when the value is at fault as a whole. */
function faultWithin(field: DescField, value: JsonValue): FaultyField | undefined {
  if (field.message === undefined) return undefined;
  const isList = field.fieldKind === "list";
  const values = isList && Array.isArray(value) ? value : [value];
  for (const [at, element] of values.entries()) {
    const fault = findFaultyField(field.message, element);
    if (fault === undefined) continue;
    const place = isList ? `${field.name}[${at}]` : field.name;
    return { field: `${place}.${fault.field}`, why: fault.why };
  }
  return undefined;
}

function wanted(field: DescField): string {
  if (field.fieldKind === "list") return "a list of valid values";
  if (field.message !== undefined) return `a valid ${field.message.name}`;
  if (field.enum !== undefined) return `a name of ${field.enum.name}`;
  return "of the right type";
}

function isRecord(value: JsonValue): value is { [key: string]: JsonValue } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
