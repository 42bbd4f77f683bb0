import { parseNanos } from "./money.ts";

/** One environment variable of a service. `default` is text, so that it is parsed and documented like any other value. */
export type EnvVariable<T> = {
  readonly name: string;
  readonly parse: EnvParser<T>;
  readonly default?: string;
  /** One sentence for `.env.example`. */
  readonly doc: string;
  /** Refuses to start without a value. */
  readonly required?: true;
  /** Keeps the value out of error messages. Use with `secretText`, which keeps it out of everything else. */
  readonly secret?: true;
};

/** Reads the text of a variable; throws an Error whose message completes "NAME …". `isDefault` when nothing was set. */
export type EnvParser<T> = (text: string, isDefault: boolean) => T;

export type EnvTable = Readonly<Record<string, EnvVariable<unknown>>>;

/** The values of a table: undefined only where a variable has neither a default nor `required`. */
export type EnvValues<Table extends EnvTable> = {
  readonly [K in keyof Table]: Table[K] extends { readonly parse: EnvParser<infer T> }
    ? Table[K] extends { readonly default: string } | { readonly required: true }
      ? T
      : T | undefined
    : never;
};

/** A value that prints as `[redacted]` everywhere; `reveal()` is the only way to it. */
export class Secret {
  readonly #value: string;
  constructor(value: string) {
    this.#value = value;
  }
  reveal(): string {
    return this.#value;
  }
  toString(): string {
    return "[redacted]";
  }
  toJSON(): string {
    return "[redacted]";
  }
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return "[redacted]";
  }
}

/**
 * Reads every variable of a table, and throws one Error that names every faulty one. An empty variable counts as unset.
 * The result is frozen.
 */
export function readEnv<const Table extends EnvTable>(
  table: Table,
  source: Readonly<Record<string, string | undefined>> = process.env,
): EnvValues<Table> {
  const values: Record<string, unknown> = {};
  const faults: string[] = [];
  for (const [key, variable] of Object.entries(table)) {
    const set = source[variable.name];
    const isDefault = set === undefined || set === "";
    const text = isDefault ? variable.default : set;
    if (text === undefined) {
      if (variable.required) faults.push(`${variable.name} is required: ${variable.doc}`);
      continue;
    }
    try {
      values[key] = variable.parse(text, isDefault);
    } catch (error) {
      const why = error instanceof Error ? error.message : "is not valid";
      faults.push(`${variable.name} ${why}${variable.secret ? "" : `, not "${text}"`}`);
    }
  }
  if (faults.length > 0) throw new Error(`faulty environment:\n  ${faults.join("\n  ")}`);
  return asValues<Table>(values);
}

/** Sound because `values` was filled by the table's own parsers, key by key. */
function asValues<Table extends EnvTable>(values: Record<string, unknown>): EnvValues<Table> {
  return Object.freeze(values) as EnvValues<Table>;
}

/** The text of `.env.example`: every variable of the tables with its sentence and default, secrets empty. */
export function renderEnvExample(tables: Readonly<Record<string, EnvTable>>): string {
  const sections = Object.entries(tables).map(([title, table]) => {
    const lines = Object.values(table).map((variable) => {
      const value = variable.secret ? "" : (variable.default ?? "");
      const isSet = value !== "" || variable.required;
      return `# ${variable.doc}\n${isSet ? "" : "# "}${variable.name}=${value}\n`;
    });
    return `## ${title}\n\n${lines.join("\n")}`;
  });
  return `${sections.join("\n")}`;
}

/** Any text. */
export const text: EnvParser<string> = (value) => value;

/** Text that must not be seen: a key, a token, a URL with a password. */
export const secretText: EnvParser<Secret> = (value) => new Secret(value);

/** A whole number within bounds, both included. */
export function int(min: number, max: number): EnvParser<number> {
  return (value) => {
    const number = /^-?\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
    if (!(number >= min && number <= max)) {
      throw new Error(`must be a whole number from ${min} to ${max}`);
    }
    return number;
  };
}

/** A port to listen on, and whether it was asked for by name: see `listenPort`. 0 lets the system choose. */
export const port: EnvParser<{ readonly port: number; readonly explicit: boolean }> = (
  value,
  isDefault,
) => ({ port: int(0, 65_535)(value, isDefault), explicit: !isDefault });

/** `true`, `1`, `yes`, `on` or `false`, `0`, `no`, `off`. */
export const bool: EnvParser<boolean> = (value) => {
  if (/^(?:true|1|yes|on)$/i.test(value)) return true;
  if (/^(?:false|0|no|off)$/i.test(value)) return false;
  throw new Error("must be true or false");
};

/** A time with its unit ("500ms", "5s", "2m", "1h", "1d"), in milliseconds. No longer than a timer can be set for. */
export const durationMs: EnvParser<number> = (value) => {
  const match = /^(\d{1,9})(ms|s|m|h|d)$/.exec(value);
  const unitMs = unitsMs.get(match?.[2] ?? "");
  if (unitMs === undefined) {
    throw new Error('must be a time with its unit, such as "500ms", "5s" or "2m"');
  }
  const ms = Number(match?.[1]) * unitMs;
  // A longer timer would fire at once.
  if (ms > timerMsMax) throw new Error('must be at most "24d"');
  return ms;
};

/** The same, no shorter than a least time: for waits that mean nothing when they are over at once. */
export function durationMsFrom(least: string): EnvParser<number> {
  const leastMs = durationMs(least, false);
  return (value, isDefault) => {
    const ms = durationMs(value, isDefault);
    if (ms < leastMs) throw new Error(`must be at least "${least}"`);
    return ms;
  };
}

const timerMsMax = 24 * 86_400_000;

const unitsMs: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

/** One of a few words. */
export function enumOf<const Word extends string>(...words: readonly Word[]): EnvParser<Word> {
  return (value) => {
    const word = words.find((candidate) => candidate === value);
    if (word === undefined) throw new Error(`must be one of ${words.join(", ")}`);
    return word;
  };
}

/** An absolute URL, as text. */
export const url: EnvParser<string> = (value) => {
  if (!URL.canParse(value)) throw new Error("must be a URL");
  return value;
};

/** Values between commas, trimmed, at most 1000; empty ones are dropped. */
export function list<T>(parse: EnvParser<T>): EnvParser<readonly T[]> {
  return (value, isDefault) => {
    const parts = value.split(",").flatMap((part) => (part.trim() === "" ? [] : [part.trim()]));
    if (parts.length > 1000) throw new Error("must have at most 1000 values");
    return Object.freeze(parts.map((part) => parse(part, isDefault)));
  };
}

/** Secrets between commas: one of at least 16 characters, and none that is shorter. */
export const secretTexts: EnvParser<readonly Secret[]> = (value, isDefault) => {
  const secrets = list(secretText)(value, isDefault);
  if (secrets.length === 0 || secrets.some((it) => it.reveal().length < 16)) {
    throw new Error("must hold one of at least 16 characters, and none that is shorter");
  }
  return secrets;
};

/** An amount of money as a decimal ("0.05"), in nanos. */
export const nanos: EnvParser<bigint> = (value) => {
  const amount = parseNanos(value);
  if (amount === undefined) throw new Error('must be an amount such as "0.05"');
  return amount;
};
