import type { DescMethod, Message } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
import { AppError, type FieldViolation } from "./app-error.ts";

/** Checks a request against the rules of the contract. */
export type ValidateRequest = (method: DescMethod, request: Message) => void;

/** How many faults of one request are reported. */
const violationsMax = 20;

/**
 * Makes the check, one per process: rules are compiled at the first request of their type. A faulty request throws
 * INVALID_ARGUMENT; metadata "field" names the first fault in proto naming, BadRequest lists them all.
 */
export function createRequestValidator(): ValidateRequest {
  const validator = createValidator();
  return (method, request) => {
    const result = validator.validate(method.input, request);
    if (result.kind === "valid") return;
    if (result.kind === "error") throw result.error;
    const violations = result.violations.slice(0, violationsMax).map(
      (violation): FieldViolation => ({
        field: pathToString(violation.field),
        description: violation.message,
      }),
    );
    throw invalid(violations);
  };
}

function invalid(violations: readonly FieldViolation[]): AppError {
  const [first] = violations;
  const text = first === undefined ? undefined : `${first.field}: ${first.description}`;
  return new AppError("INVALID_ARGUMENT", text, {
    metadata: { field: first?.field ?? "" },
    violations,
  });
}
