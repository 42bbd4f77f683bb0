import { getOption, hasOption } from "@bufbuild/protobuf";
import {
  answer,
  ErrorReason,
  ErrorReasonSchema,
} from "@farebox/proto/farebox/common/v1/error_reason";
import { Code } from "@farebox/proto/google/rpc/code";

/** Every reason that Farebox refuses with, by the name in the contract less its prefix. */
export type Reason = Exclude<keyof typeof ErrorReason, "UNSPECIFIED">;

/** How a reason is answered, on every transport. */
export type ReasonAnswer = {
  /** The number that clients match on, for example 10001. */
  readonly number: number;
  /** The canonical gRPC code by name, for example "RESOURCE_EXHAUSTED". */
  readonly code: string;
  /** The canonical gRPC code by number, for example 8. */
  readonly codeNumber: number;
  /** The status the gateway answers with, for example 402. */
  readonly httpStatus: number;
  readonly en: string;
  readonly zh: string;
};

let answers: ReadonlyMap<string, ReasonAnswer> | undefined;

/** Looks up how a reason is answered. The contract's options are read once, at the first call. */
export function reasonAnswer(reason: Reason): ReasonAnswer {
  const found = registry().get(reason);
  if (found === undefined) throw new Error(`reason ${reason} has no answer in the contract`);
  return found;
}

/** Every reason of the contract. */
export function allReasons(): readonly Reason[] {
  return Object.keys(ErrorReason).filter(isReason);
}

/** True for the name of a reason this release knows; a newer peer may send others. */
export function isReason(name: string): name is Reason {
  return name !== "UNSPECIFIED" && Object.hasOwn(ErrorReason, name);
}

function registry(): ReadonlyMap<string, ReasonAnswer> {
  answers ??= readAnswers();
  return answers;
}

function readAnswers(): ReadonlyMap<string, ReasonAnswer> {
  const read = new Map<string, ReasonAnswer>();
  for (const value of ErrorReasonSchema.values) {
    if (!hasOption(value, answer)) continue;
    const { code, httpStatus, en, zh } = getOption(value, answer);
    const codeNumber = Object.entries(Code).find(([name]) => name === code)?.[1];
    if (typeof codeNumber !== "number") throw new Error(`${value.name}: no gRPC code "${code}"`);
    const name = value.name.slice("ERROR_REASON_".length);
    read.set(name, Object.freeze({ number: value.number, code, codeNumber, httpStatus, en, zh }));
  }
  return read;
}
