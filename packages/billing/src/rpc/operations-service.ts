import type { MessageInitShape } from "@bufbuild/protobuf";
import { fromBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { AppError } from "@farebox/kit/app-error";
import { formatId, parseId } from "@farebox/kit/ids";
import type { RpcImpl } from "@farebox/kit/rpc-context";
import type {
  DeadLetterSchema,
  DriftSchema,
  OperationsService,
} from "@farebox/proto/farebox/billing/v1/operations_service";
import { DeadLetterState as StateNumbers } from "@farebox/proto/farebox/billing/v1/operations_service";
import { UsageItemSchema } from "@farebox/proto/farebox/billing/v1/usage";
import { ErrorReason } from "@farebox/proto/farebox/common/v1/error_reason";
import type { Drift } from "../domain/account-laws.ts";
import { type DeadLetter, type DeadLetterState, deadLetterStates } from "../domain/dead-letter.ts";

import { type ListDeadLettersDeps, listDeadLetters } from "../operations/list-dead-letters.ts";
import type { ReconcileAccountsDeps } from "../operations/reconcile-accounts.ts";
import { type ReplayDeadLetterDeps, replayDeadLetter } from "../operations/replay-dead-letter.ts";
import { runReconciliation } from "../operations/run-reconciliation.ts";
import { type VoidDeadLetterDeps, voidDeadLetter } from "../operations/void-dead-letter.ts";
import { toMoney } from "./convert-money.ts";
import { knownNumber, wordOf } from "./convert-word.ts";

export type OperationsServiceDeps = ReconcileAccountsDeps &
  ListDeadLettersDeps &
  ReplayDeadLetterDeps &
  VoidDeadLetterDeps;

/** For the people who run an installation. */
export function operationsService(deps: OperationsServiceDeps): RpcImpl<typeof OperationsService> {
  return {
    runReconciliation: async ({ accountId }, { signal }) => {
      const report = await runReconciliation(deps, { accountId, signal });
      return {
        accountsCount: BigInt(report.accountsCount),
        drifts: report.drifts.map(toProtoDrift),
        driftsCount: BigInt(report.driftsCount),
      };
    },
    listDeadLetters: async ({ accountId, state, pageSize, pageToken }) => {
      const page = await listDeadLetters(deps, {
        accountId,
        state: wordOf(deadLetterStates, toProtoState, state) ?? "OPEN",
        pageSize,
        pageToken,
      });
      return { deadLetters: page.rows.map(toProtoDeadLetter), nextPageToken: page.nextPageToken };
    },
    replayDeadLetter: async ({ deadLetterId }) => ({
      deadLetter: toProtoDeadLetter(await replayDeadLetter(deps, parseDeadLetterId(deadLetterId))),
    }),
    voidDeadLetter: async ({ deadLetterId }) => ({
      deadLetter: toProtoDeadLetter(await voidDeadLetter(deps, parseDeadLetterId(deadLetterId))),
    }),
  };
}

function parseDeadLetterId(text: string): string {
  const id = parseId("dlt", text);
  if (id === undefined) throw new AppError("DEAD_LETTER_NOT_FOUND");
  return id.toString("hex");
}

function toProtoDrift(drift: Drift): MessageInitShape<typeof DriftSchema> {
  const { accountId, law, subject } = drift;
  return { accountId, law, subject, expected: clamp(drift.expected), actual: clamp(drift.actual) };
}

/** A corrupt sum may be beyond what the wire can carry; that it is wrong still shows. */
function clamp(figure: bigint): bigint {
  const most = 2n ** 63n - 1n;
  if (figure > most) return most;
  return figure < -most ? -most : figure;
}

function toProtoDeadLetter(letter: DeadLetter): MessageInitShape<typeof DeadLetterSchema> {
  const item = decodeItem(letter.item);
  return {
    id: formatId("dlt", Buffer.from(letter.id, "hex")),
    accountId: letter.accountId,
    ...(item !== undefined && { item }),
    reason: knownNumber(ErrorReason, letter.reason),
    field: letter.field,
    held: toMoney(letter.held, letter.currencyCode),
    state: toProtoState[letter.state],
    createTime: timestampFromMs(letter.createTimeMs),
  };
}

/** Undefined for bytes that are no UsageItem at all: that may be why they are here. */
function decodeItem(bytes: Uint8Array) {
  try {
    return fromBinary(UsageItemSchema, bytes);
  } catch {
    return undefined;
  }
}

const toProtoState = {
  OPEN: StateNumbers.OPEN,
  REPLAYED: StateNumbers.REPLAYED,
  VOIDED: StateNumbers.VOIDED,
} satisfies Record<DeadLetterState, StateNumbers>;
