import {
  type DescField,
  type DescMessage,
  fromJson,
  type JsonValue,
  ScalarType,
} from "@bufbuild/protobuf";
import { hasCustomJsonRepresentation, isWrapperDesc } from "@bufbuild/protobuf/wkt";

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

/**
 * Decodes the JSON text of a message and refuses integers that would not arrive as they were written.
 *
 * A number beyond 2^53 is rounded by every JSON parser of JavaScript before anyone sees it, and protobuf-es reads text by
 * `BigInt` and `Number`, which take `0x10`, ` 5`, `+5`, `007` and nothing at all. Where the message has an integer, only a
 * number that is exact, or a decimal integer in quotes, passes. Text that is not JSON passes: the parser says what is wrong with it.
 *
 * Throws an Error that `fromConnectError` reads the path of the field from.
 */
export function exactJsonDecoder(desc: DescMessage): { decode(bytes: Uint8Array): string } {
  const utf8 = new TextDecoder();
  return {
    decode: (bytes) => {
      const text = utf8.decode(bytes);
      const fault = faultOf(desc, parsed(text), 0);
      if (fault === undefined) return text;
      throw new Error(`cannot decode "${fault.field}" from JSON: ${fault.why}`);
    },
  };
}

/** As deep as protobuf-es reads; it refuses what is deeper. */
const depthMax = 100;

/** One decimal integer, as JSON itself writes it. */
const decimal = /^-?(?:0|[1-9][0-9]*)$/;

function parsed(text: string): JsonValue {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function faultOf(desc: DescMessage, body: JsonValue, depth: number): FaultyField | undefined {
  if (!isRecord(body) || depth > depthMax) return undefined;
  const fields = fieldsOf(desc);
  for (const [key, value] of Object.entries(body)) {
    const field = fields.get(key);
    const fault = field && faultIn(field, value, depth);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function faultIn(field: DescField, value: JsonValue, depth: number): FaultyField | undefined {
  if (field.fieldKind === "list" && Array.isArray(value)) {
    for (const [at, element] of value.entries()) {
      const fault = faultOfValue(field, { value: element, path: `${field.name}[${at}]`, depth });
      if (fault !== undefined) return fault;
    }
    return undefined;
  }
  if (field.fieldKind === "map" && isRecord(value)) {
    for (const [key, element] of Object.entries(value)) {
      const why = isInteger(field.mapKey) ? whyNotExact(key) : undefined;
      if (why !== undefined) return { field: field.name, why };
      const fault = faultOfValue(field, { value: element, path: field.name, depth });
      if (fault !== undefined) return fault;
    }
    return undefined;
  }
  return faultOfValue(field, { value, path: field.name, depth });
}

type Place = { readonly value: JsonValue; readonly path: string; readonly depth: number };

function faultOfValue(field: DescField, { value, path, depth }: Place): FaultyField | undefined {
  const { message } = field;
  if (message !== undefined && !hasCustomJsonRepresentation(message)) {
    const fault = faultOf(message, value, depth + 1);
    return fault && { field: `${path}.${fault.field}`, why: fault.why };
  }
  const scalar = message !== undefined && isWrapperDesc(message) ? message.fields[0] : field;
  if (!isInteger(scalar?.scalar)) return undefined;
  const why = whyNotExact(value);
  return why === undefined ? undefined : { field: path, why };
}

/** Values of other types, and numbers out of range, are left to protobuf-es, which refuses them. */
function whyNotExact(value: JsonValue): string | undefined {
  if (typeof value === "string" && !decimal.test(value)) return "is not a decimal integer";
  if (typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value)) {
    return 'is beyond 2^53, where JSON numbers are rounded: send it in quotes, as in "9007199254740993"';
  }
  return undefined;
}

function isInteger(scalar: ScalarType | undefined): boolean {
  return scalar !== undefined && integers.has(scalar);
}

const integers: ReadonlySet<ScalarType> = new Set([
  ...[ScalarType.INT32, ScalarType.UINT32, ScalarType.SINT32],
  ...[ScalarType.FIXED32, ScalarType.SFIXED32],
  ...[ScalarType.INT64, ScalarType.UINT64, ScalarType.SINT64],
  ...[ScalarType.FIXED64, ScalarType.SFIXED64],
]);

const fieldsByKey = new WeakMap<DescMessage, ReadonlyMap<string, DescField>>();

function fieldsOf(desc: DescMessage): ReadonlyMap<string, DescField> {
  const known = fieldsByKey.get(desc);
  if (known !== undefined) return known;
  const fields = new Map<string, DescField>();
  for (const field of desc.fields) fields.set(field.name, field).set(field.jsonName, field);
  fieldsByKey.set(desc, fields);
  return fields;
}

function isRecord(value: JsonValue): value is { [key: string]: JsonValue } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
