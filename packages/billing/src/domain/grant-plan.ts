import type { Nanos } from "@farebox/kit/money";
import type { Reason } from "@farebox/kit/reasons";
import { hold, type Wallet } from "./balance-moves.ts";
import type { OpenGrant } from "./burn-grants.ts";
import { type Expiry, expireDue } from "./expire-due.ts";
import { holdUnits, type UnitPeriod } from "./free-units.ts";
import { freeUnitsOf, type Lease } from "./lease.ts";
import { type AskDecision, type DenyReason, decideAsk, reasonToDeny } from "./lease-slice.ts";

/** An ask for a lease or for more on one, checked field by field. Ids are 32 hex digits; empty for none. */
export type LeaseAsk = {
  readonly requestId: string;
  readonly accountId: string;
  readonly service: string;
  /** The currency that its amounts are in; empty for the account's. */
  readonly currencyCode: string;
  readonly estimated: Nanos;
  readonly minimum: Nanos | undefined;
  readonly wantSlice: Nanos;
  readonly estimatedUnits: bigint;
  readonly estimatedRequests: bigint;
  readonly wantUnits: bigint;
  readonly validForMs: number;
  /** The lease to extend; empty for a new one. */
  readonly leaseId: string;
  readonly gatewayId: string;
  readonly gatewayEpoch: bigint;
  readonly apiKeyId: string;
  readonly userId: string;
  /** Names the ask among those of its gateway, and a new lease of a gateway; for others the id of a new lease. */
  readonly askId: string;
  /** SHA-256 of all it asks for, in hex. */
  readonly sha256: string;
};

/** The answer to an ask. A denial is an answer, a refusal an error of the asker. */
export type AskAnswer =
  | {
      readonly kind: "grant";
      readonly isReplay: boolean;
      readonly lease: Lease;
      readonly added: Nanos;
      readonly addedUnits: bigint;
      readonly isFinal: boolean;
      /** Why an ask that finds nothing more would be denied: the holder tells its callers so without asking. */
      readonly whyNoMore: DenyReason;
      readonly wallet: Wallet;
    }
  | { readonly kind: "deny"; readonly reason: DenyReason; readonly wallet: Wallet }
  | { readonly kind: "refuse"; readonly reason: Reason };

/** What an API caller's ask was answered with before. */
export type PriorAsk = {
  readonly sha256: string;
  readonly leaseId: string;
  readonly added: Nanos;
  readonly addedUnits: bigint;
};

/** All that is locked and known of one account when its asks are decided. */
export type GrantWorld = {
  readonly accountId: string;
  readonly currencyCode: string;
  readonly wallet: Wallet;
  readonly leases: ReadonlyMap<string, Lease>;
  /** Asks of API callers that were granted before, by request id. */
  readonly priors: ReadonlyMap<string, PriorAsk>;
  /** The current periods of the services asked for that have a free quota. */
  readonly periods: ReadonlyMap<string, UnitPeriod>;
  readonly grants: readonly OpenGrant[];
  readonly nowMs: number;
};

/** What granting an account's asks changes. */
export type GrantPlan = {
  readonly accountId: string;
  /** One per ask, in their order. */
  readonly answers: readonly AskAnswer[];
  readonly before: Wallet;
  readonly after: Wallet;
  readonly expiry: Expiry;
  /** Leases that begin, and the asks they began with. */
  readonly opened: readonly { readonly lease: Lease; readonly ask: LeaseAsk }[];
  readonly extended: readonly { readonly before: Lease; readonly after: Lease }[];
  readonly periods: readonly { readonly before: UnitPeriod; readonly after: UnitPeriod }[];
  /** Grants to API callers, to be answered the same again. */
  readonly keys: readonly { readonly ask: LeaseAsk; readonly prior: PriorAsk }[];
};

/** Decides an account's asks one after the other, each seeing what those before it took. */
export function planGrants(world: GrantWorld, asks: readonly LeaseAsk[]): GrantPlan {
  const expiry = expireDue(world.wallet, world.grants, world.nowMs);
  const work: Work = {
    world,
    wallet: expiry.wallet,
    leases: new Map(world.leases),
    priors: new Map(world.priors),
    periods: new Map(world.periods),
    opened: new Map(),
    extended: new Map(),
    keys: [],
  };
  const answers = asks.map((ask) => answerAsk(work, ask));
  return {
    accountId: world.accountId,
    answers,
    before: world.wallet,
    after: work.wallet,
    expiry,
    opened: [...work.opened].map(([id, ask]) => ({ lease: leaseOf(work, id), ask })),
    extended: [...work.extended].map(([id, before]) => ({ before, after: leaseOf(work, id) })),
    periods: [...world.periods]
      .map(([service, before]) => ({ before, after: work.periods.get(service) ?? before }))
      .filter(({ before, after }) => before !== after),
    keys: work.keys,
  };
}

/** The account while its asks are gone through. */
type Work = {
  readonly world: GrantWorld;
  wallet: Wallet;
  readonly leases: Map<string, Lease>;
  readonly priors: Map<string, PriorAsk>;
  readonly periods: Map<string, UnitPeriod>;
  readonly opened: Map<string, LeaseAsk>;
  readonly extended: Map<string, Lease>;
  readonly keys: { ask: LeaseAsk; prior: PriorAsk }[];
};

function answerAsk(work: Work, ask: LeaseAsk): AskAnswer {
  if (ask.currencyCode !== "" && ask.currencyCode !== work.world.currencyCode) {
    return { kind: "refuse", reason: "CURRENCY_MISMATCH" };
  }
  const prior = priorOf(work, ask);
  const extended = ask.leaseId === "" ? "none" : ownLease(work, ask);
  const period = periodFor(work, ask, extended);
  const decision = decideAsk(
    {
      estimated: ask.estimated,
      minimum: ask.minimum,
      wantSlice: ask.wantSlice,
      unitsNeeded: unitsNeeded(ask, period),
      unitsWanted: ask.wantUnits,
      isSlice: ask.wantSlice > 0n || ask.gatewayId !== "",
      epoch: ask.gatewayEpoch,
    },
    { wallet: work.wallet, unitsAvailable: period?.available, prior, extended },
  );
  switch (decision.kind) {
    case "grant":
      return grantAsk(work, ask, decision, extended, period);
    case "replay":
      return replayOf(work, prior, period);
    case "deny":
      return { ...decision, wallet: work.wallet };
    case "refuse":
      return decision;
  }
}

type Prior = PriorAsk & { readonly isSame: boolean };

/** The grant of the same ask before: a gateway's is found on its lease, any other under its request id. */
function priorOf(work: Work, ask: LeaseAsk): Prior | undefined {
  if (ask.gatewayId === "") {
    const prior = work.priors.get(ask.requestId);
    return prior && { ...prior, isSame: prior.sha256 === ask.sha256 };
  }
  const lease = work.leases.get(ask.leaseId === "" ? ask.askId : ask.leaseId);
  if (lease === undefined || (ask.leaseId !== "" && lease.lastAsk !== ask.askId)) return undefined;
  const isSame = lease.gatewayId === ask.gatewayId && lease.service === ask.service;
  const { id: leaseId, lastAskAdded: added, lastAskAddedUnits: addedUnits } = lease;
  return { sha256: "", leaseId, added, addedUnits, isSame };
}

/** A lease that the ask may extend: of its service, and of its gateway if it has one. */
function ownLease(work: Work, ask: LeaseAsk): Lease | undefined {
  const lease = work.leases.get(ask.leaseId);
  if (lease === undefined || lease.service !== ask.service) return undefined;
  return lease.gatewayId === ask.gatewayId ? lease : undefined;
}

/** The period that units can come from. A lease that still holds units of an earlier one uses those up first. */
function periodFor(
  work: Work,
  ask: LeaseAsk,
  extended: Lease | "none" | undefined,
): UnitPeriod | undefined {
  const period = work.periods.get(ask.service);
  if (period === undefined || extended === "none" || extended?.free === undefined) return period;
  const isOther = extended.free.periodStartMs !== period.startMs;
  return isOther && freeUnitsOf(extended) > 0n ? { ...period, available: 0n } : period;
}

function unitsNeeded(ask: LeaseAsk, period: UnitPeriod | undefined): bigint {
  const units = period?.unit === "REQUESTS" ? ask.estimatedRequests : ask.estimatedUnits;
  return units > 0n ? units : 1n;
}

function grantAsk(
  work: Work,
  ask: LeaseAsk,
  { added, addedUnits, isFinal }: Extract<AskDecision, { kind: "grant" }>,
  extended: Lease | "none" | undefined,
  period: UnitPeriod | undefined,
): AskAnswer {
  const isNew = extended === "none" || extended === undefined;
  const before = isNew ? freshLease(work, ask) : extended;
  const lease: Lease = {
    ...before,
    granted: before.granted + added,
    free: addedUnits > 0n && period ? withUnits(before, period, addedUnits) : before.free,
    lastAsk: ask.askId,
    lastAskAdded: added,
    lastAskAddedUnits: addedUnits,
    validForMs: ask.validForMs,
    expireTimeMs: ask.gatewayId === "" ? work.world.nowMs + ask.validForMs : undefined,
  };
  if (addedUnits > 0n && period) work.periods.set(ask.service, holdUnits(period, addedUnits));
  const { wallet } = hold(work.wallet, added);
  work.wallet = isNew ? { ...wallet, openLeases: wallet.openLeases + 1 } : wallet;
  work.leases.set(lease.id, lease);
  if (isNew) work.opened.set(lease.id, ask);
  else if (!work.opened.has(lease.id) && !work.extended.has(lease.id)) {
    work.extended.set(lease.id, before);
  }
  if (ask.gatewayId === "") remember(work, ask, { leaseId: lease.id, added, addedUnits });
  const whyNoMore = whyNoMoreOf(work, period);
  const granted = { lease, added, addedUnits, isFinal, whyNoMore, wallet: work.wallet };
  return { kind: "grant", isReplay: false, ...granted };
}

function remember(work: Work, ask: LeaseAsk, granted: Omit<PriorAsk, "sha256">): void {
  const prior = { sha256: ask.sha256, ...granted };
  work.priors.set(ask.requestId, prior);
  work.keys.push({ ask, prior });
}

function whyNoMoreOf({ wallet }: Work, period: UnitPeriod | undefined): DenyReason {
  return reasonToDeny({ wallet, unitsAvailable: period?.available });
}

/** The lease as it stands; one that ended so long ago that it is no longer kept cannot be told of, and moves nothing. */
function replayOf(work: Work, prior: Prior | undefined, period: UnitPeriod | undefined): AskAnswer {
  if (prior === undefined) throw new Error("a replay has a prior");
  const { added, addedUnits, leaseId } = prior;
  const { wallet } = work;
  const lease = work.leases.get(leaseId);
  if (lease === undefined) return { kind: "refuse", reason: "LEASE_NOT_FOUND" };
  const whyNoMore = whyNoMoreOf(work, period);
  const granted = { lease, added, addedUnits, isFinal: false, whyNoMore, wallet };
  return { kind: "grant", isReplay: true, ...granted };
}

function leaseOf(work: Work, id: string): Lease {
  const lease = work.leases.get(id);
  if (lease === undefined) throw new Error(`lease ${id} was not read`);
  return lease;
}

function withUnits(lease: Lease, period: UnitPeriod, addedUnits: bigint): Lease["free"] {
  const { granted = 0n, settled = 0n, released = 0n } = lease.free ?? {};
  const { unit, startMs: periodStartMs } = period;
  return { unit, periodStartMs, granted: granted + addedUnits, settled, released };
}

function freshLease(work: Work, ask: LeaseAsk): Lease {
  return {
    accountId: ask.accountId,
    id: ask.askId,
    service: ask.service,
    state: "OPEN",
    gatewayId: ask.gatewayId,
    gatewayEpoch: ask.gatewayEpoch,
    granted: 0n,
    settled: 0n,
    released: 0n,
    deadLettered: 0n,
    free: undefined,
    lastAsk: "",
    lastAskAdded: 0n,
    lastAskAddedUnits: 0n,
    validForMs: ask.validForMs,
    expireTimeMs: undefined,
    createTimeMs: work.world.nowMs,
  };
}
