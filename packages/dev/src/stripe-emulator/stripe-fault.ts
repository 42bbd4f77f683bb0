type FaultBody = {
  readonly message: string;
  readonly type?: string;
  readonly code?: string;
  readonly decline_code?: string;
  readonly param?: string;
  /** What a charge that was declined leaves. */
  readonly payment_intent?: object;
};

/** An error as Stripe answers it. */
export class StripeFault extends Error {
  readonly status: number;
  readonly body: FaultBody;

  constructor(status: number, body: FaultBody) {
    super(body.message);
    this.status = status;
    this.body = body;
  }
}

/** 400 for a parameter. */
export function badParam(param: string, message: string, code = "parameter_invalid"): StripeFault {
  return new StripeFault(400, { type: "invalid_request_error", code, param, message });
}

/** 404 for an id. */
export function noSuch(kind: string, id: string): StripeFault {
  const message = `No such ${kind}: '${id}'`;
  const body = { type: "invalid_request_error", code: "resource_missing", param: "id", message };
  return new StripeFault(404, body);
}
