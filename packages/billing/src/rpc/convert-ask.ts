import { hash } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import { newUuid } from "@farebox/kit/ids";
import { nanosMax } from "@farebox/kit/money";
import {
  type CheckQuotaRequest,
  type CheckQuotaResponseSchema,
  Decision,
} from "@farebox/proto/farebox/billing/v1/billing_service";
import { ErrorReason } from "@farebox/proto/farebox/common/v1/error_reason";
import type { Money } from "@farebox/proto/farebox/common/v1/money";
import type { AskAnswer, LeaseAsk } from "../domain/grant-plan.ts";
import { isAccountId, isPrintable, isRequestId, isServiceName } from "../domain/plain-text.ts";
import { contentSha256 } from "../operations/content-sha256.ts";
import { toProtoLease } from "./convert-lease.ts";
import { toMoney } from "./convert-money.ts";
import { fromDuration } from "./convert-time.ts";

/** The gateway that asks; for any other caller an empty id and epoch 0. */
export type Asker = { readonly gatewayId: string; readonly gatewayEpoch: bigint };

const validForMsDefault = 30_000;
const thirtyDaysMs = 30 * 86_400_000;
const unitsMax = 1_000_000_000_000n;
const requestsMax = 1_000_000n;

/**
 * Names the first field of an ask that breaks the contract's rules, in proto naming; undefined for a sound ask. By hand,
 * because a batch holds thousands of them and one that is not sound must not fail the others.
 */
export function askFault(req: CheckQuotaRequest): string | undefined {
  if (!isRequestId(req.requestId)) return "request_id";
  if (!isAccountId(req.accountId)) return "account_id";
  if (!isServiceName(req.service)) return "service";
  if (!isAmount(req.estimatedCost)) return "estimated_cost";
  if (!isBetween(req.estimatedUnits, unitsMax)) return "estimated_units";
  if (!isAmount(req.wantSlice)) return "want_slice";
  if (!isValidity(req.validFor)) return "valid_for";
  if (req.leaseId !== "" && leaseHex(req.leaseId) === undefined) return "lease_id";
  if (!isPrintable(req.apiKeyId, 64)) return "api_key_id";
  if (req.userId.length > 128) return "user_id";
  if (req.model.length > 256) return "model";
  if (req.tags.length > 16 || req.tags.some((tag) => tag.length > 128)) return "tags";
  if (!isAmount(req.minimumCost)) return "minimum_cost";
  if (!isBetween(req.wantUnits, unitsMax)) return "want_units";
  if (!isBetween(req.estimatedRequests, requestsMax)) return "estimated_requests";
  return currencyFault(req);
}

/** A sound ask as the domain knows it. */
export function fromAsk(req: CheckQuotaRequest, by: Asker): LeaseAsk {
  const leaseId = leaseHex(req.leaseId) ?? "";
  const validForMs = req.validFor === undefined ? validForMsDefault : fromDuration(req.validFor);
  return {
    requestId: req.requestId,
    accountId: req.accountId,
    service: req.service,
    currencyCode: currencyOf(req),
    estimated: req.estimatedCost?.amountNanos ?? 0n,
    minimum: req.minimumCost?.amountNanos,
    wantSlice: req.wantSlice?.amountNanos ?? 0n,
    estimatedUnits: req.estimatedUnits,
    estimatedRequests: req.estimatedRequests,
    wantUnits: req.wantUnits,
    validForMs,
    leaseId,
    gatewayId: by.gatewayId,
    gatewayEpoch: by.gatewayEpoch,
    apiKeyId: req.apiKeyId,
    userId: req.userId,
    askId: askIdOf(req, by, leaseId),
    sha256: by.gatewayId === "" ? sha256Of(req, validForMs) : "",
  };
}

/** The 32 hex digits of a lease's id on the wire; undefined for anything else. */
export function leaseHex(id: string): string | undefined {
  return /^lse_([0-9a-f]{32})$/.exec(id)?.[1];
}

/** The answer as the contract carries it. */
export function toProtoAnswer(
  answer: Exclude<AskAnswer, { kind: "refuse" }>,
  currencyCode: string,
): MessageInitShape<typeof CheckQuotaResponseSchema> {
  const { wallet } = answer;
  const money = {
    available: toMoney(wallet.available, currencyCode),
    receivable: toMoney(wallet.receivable, currencyCode),
  };
  if (answer.kind === "deny") {
    return { decision: Decision.DENY, reason: ErrorReason[answer.reason], ...money };
  }
  const { lease, isFinal, added, addedUnits, whyNoMore } = answer;
  return {
    decision: Decision.ALLOW,
    reason: ErrorReason[whyNoMore],
    lease: toProtoLease(lease, { currencyCode, holders: wallet.openLeases, isFinal }),
    added: toMoney(added, currencyCode),
    addedUnits,
    ...money,
  };
}

/**
 * A gateway names the lease it asks for, or its ask, by an id of its own, so that a repetition finds what the first one
 * made. Others are found by their request id, and get a new lease's id.
 */
function askIdOf(req: CheckQuotaRequest, by: Asker, leaseId: string): string {
  if (by.gatewayId === "" && leaseId === "") return newUuid().toString("hex");
  const named = leaseHex(req.requestId);
  if (named !== undefined && by.gatewayId !== "") return named;
  return hash("sha256", `${by.gatewayId}/${req.requestId}`, "hex").slice(0, 32);
}

function sha256Of(req: CheckQuotaRequest, validForMs: number): string {
  return contentSha256([
    req.service,
    req.estimatedCost?.amountNanos ?? 0n,
    req.minimumCost?.amountNanos,
    req.wantSlice?.amountNanos ?? 0n,
    req.estimatedUnits,
    req.estimatedRequests,
    req.wantUnits,
    validForMs,
    req.leaseId,
    req.apiKeyId,
    req.userId,
    req.model,
    req.tags,
  ]).toString("hex");
}

function isAmount(money: Money | undefined): boolean {
  return money === undefined || (money.amountNanos >= 0n && money.amountNanos <= nanosMax);
}

function isBetween(units: bigint, most: bigint): boolean {
  return units >= 0n && units <= most;
}

function isValidity(duration: Duration | undefined): boolean {
  if (duration === undefined) return true;
  const ms = fromDuration(duration);
  return ms >= 1000 && ms <= thirtyDaysMs;
}

/** All amounts of an ask are in one currency. */
function currencyFault(req: CheckQuotaRequest): string | undefined {
  const currency = currencyOf(req);
  if (!/^([A-Z]{3})?$/.test(currency)) return "estimated_cost.currency_code";
  const others = [
    ["want_slice", req.wantSlice],
    ["minimum_cost", req.minimumCost],
  ] as const;
  for (const [field, money] of others) {
    const stated = money?.currencyCode ?? "";
    if (stated !== "" && stated !== currency) return `${field}.currency_code`;
  }
  return undefined;
}

function currencyOf({ estimatedCost, wantSlice, minimumCost }: CheckQuotaRequest): string {
  return estimatedCost?.currencyCode || wantSlice?.currencyCode || minimumCost?.currencyCode || "";
}
