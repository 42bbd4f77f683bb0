import { AppError } from "@farebox/kit/app-error";

/** Refuses a call for one field of its body or one of its headers; the dialects put the detail behind the field's name. */
export function fieldRefusal(field: string, detail: string): AppError {
  return new AppError("INVALID_ARGUMENT", undefined, { metadata: { field, detail } });
}
