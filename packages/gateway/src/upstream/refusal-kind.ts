/** What the dialects call a reason, and which limit it speaks of. */
export type RefusalKind = {
  readonly openaiType: string;
  readonly openaiCode: string | null;
  readonly anthropicType: string;
  /** The member of the body at fault, when the reason alone says it. */
  readonly param?: string;
  /** The limit that was met. */
  readonly limit?: "balance" | "overdraft" | "free_quota" | "budget" | "concurrency";
  /** Money would mend it. */
  readonly isMoney: boolean;
};

/**
 * Looks a reason up. A reason without a row of its own is answered by its status, so that one added to the registry is
 * answered sensibly before it is added here.
 */
export function refusalKind(reason: string, httpStatus: number): RefusalKind {
  return byReason.get(reason) ?? byStatus.get(httpStatus) ?? (httpStatus >= 500 ? broken : invalid);
}

const invalid: RefusalKind = {
  openaiType: "invalid_request_error",
  openaiCode: null,
  anthropicType: "invalid_request_error",
  isMoney: false,
};
const broken: RefusalKind = {
  openaiType: "server_error",
  openaiCode: null,
  anthropicType: "api_error",
  isMoney: false,
};
const overloaded: RefusalKind = { ...broken, anthropicType: "overloaded_error" };
const unpaid: RefusalKind = {
  openaiType: "insufficient_quota",
  openaiCode: "insufficient_quota",
  anthropicType: "billing_error",
  isMoney: true,
};
const noModel: RefusalKind = {
  ...invalid,
  openaiCode: "model_not_found",
  anthropicType: "not_found_error",
  param: "model",
};
const denied: RefusalKind = {
  ...invalid,
  openaiCode: "permission_denied",
  anthropicType: "permission_error",
};

const byReason: ReadonlyMap<string, RefusalKind> = new Map([
  ["INSUFFICIENT_BALANCE", { ...unpaid, limit: "balance" }],
  ["ACCOUNT_IN_DEBT", { ...unpaid, limit: "overdraft" }],
  // OpenAI answers a used-up quota with 429 and this type; Anthropic's class for 429 is the rate limit.
  ["INSUFFICIENT_QUOTA", { ...unpaid, limit: "free_quota", anthropicType: "rate_limit_error" }],
  ["BUDGET_EXCEEDED", { ...unpaid, limit: "budget", openaiCode: "billing_hard_limit_reached" }],
  [
    "TOO_MANY_WAITING",
    {
      openaiType: "requests",
      openaiCode: "rate_limit_exceeded",
      anthropicType: "rate_limit_error",
      limit: "concurrency",
      isMoney: false,
    },
  ],
  ["MODEL_NOT_FOUND", noModel],
  ["MODEL_NOT_PRICED", { ...noModel, anthropicType: "invalid_request_error" }],
  ["MODEL_NOT_ALLOWED", { ...denied, param: "model" }],
] satisfies [string, RefusalKind][]);

const byStatus: ReadonlyMap<number, RefusalKind> = new Map([
  [
    401,
    {
      openaiType: "authentication_error",
      openaiCode: "invalid_api_key",
      anthropicType: "authentication_error",
      isMoney: false,
    },
  ],
  [402, unpaid],
  [403, denied],
  [404, { ...invalid, openaiCode: "not_found", anthropicType: "not_found_error" }],
  [409, { ...invalid, openaiCode: "conflict" }],
  [413, { ...invalid, openaiCode: "request_too_large", anthropicType: "request_too_large" }],
  [
    429,
    {
      openaiType: "requests",
      openaiCode: "rate_limit_exceeded",
      anthropicType: "rate_limit_error",
      isMoney: false,
    },
  ],
  [503, overloaded],
] satisfies [number, RefusalKind][]);
