import { create, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { AppError } from "@farebox/kit/app-error";
import { minNanos } from "@farebox/kit/money";
import {
  BatchCheckQuotaResponseSchema,
  type CheckQuotaRequestSchema,
  type CheckQuotaResultSchema,
  Decision,
  DeductQuotaResponseSchema,
  type RequestClaimResultSchema,
  type RequestClaimSchema,
  type SettleUsageRequest,
  SettleUsageRequestSchema,
  type SettleUsageResponse,
  SettleUsageResponseSchema,
} from "@farebox/proto/farebox/billing/v1/billing_service";
import { FreeUnit } from "@farebox/proto/farebox/billing/v1/lease";
import { SettleStatus, type UsageItem } from "@farebox/proto/farebox/billing/v1/usage";
import { ErrorReason } from "@farebox/proto/farebox/common/v1/error_reason";
import type { BillingPort, SettlementStream } from "../src/interceptor/billing-port.ts";

type Account = {
  available: bigint;
  held: bigint;
  spent: bigint;
  credited: bigint;
  receivable: bigint;
  units: number;
};
type FakeLease = {
  accountId: string;
  epoch: bigint;
  granted: bigint;
  settled: bigint;
  units: number;
  isOpen: boolean;
  lastAsk: string;
};

/** Billing's laws of money in memory, behind the interceptor's port, with switches for what can go wrong. */
export class FakeBilling implements BillingPort {
  readonly accounts = new Map<string, Account>();
  /** Accounts that were given free units. */
  readonly onQuota = new Set<string>();
  readonly leases = new Map<string, FakeLease>();
  /** Every item that was charged, by id in hex. */
  readonly items = new Map<string, UsageItem>();
  readonly claims = new Map<
    string,
    { attemptId: string; sha256: string; state: "open" | "charged" }
  >();
  /** What arrived, in order, for tests that look at the conversation. */
  readonly heard: string[] = [];
  /** Asks arrive here as they are answered. */
  readonly asks: MessageInitShape<typeof CheckQuotaRequestSchema>[] = [];
  epoch = 1n;
  drained = 0n;
  isDown = false;
  /** Batches of asks that are carried out, but whose answer is lost. */
  answersToLose = 0;
  isAcknowledging = true;
  #streams: FakeStream[] = [];

  /** Gives an account money. */
  credit(accountId: string, nanos: bigint, units = 0): void {
    const account = this.account(accountId);
    account.credited += nanos;
    account.available += nanos;
    account.units += units;
    if (units > 0) this.onQuota.add(accountId);
  }

  account(accountId: string): Account {
    let account = this.accounts.get(accountId);
    if (account === undefined) {
      account = { available: 0n, held: 0n, spent: 0n, credited: 0n, receivable: 0n, units: 0 };
      this.accounts.set(accountId, account);
    }
    return account;
  }

  /** Fails every stream, as a restart of Billing does. */
  dropStreams(): void {
    for (const stream of this.#streams.splice(0)) stream.fail(new AppError("UNAVAILABLE"));
  }

  /** Carries on with batches that were held back. */
  acknowledgeAll(): void {
    this.isAcknowledging = true;
    for (const stream of this.#streams) stream.resume();
  }

  async batchCheckQuota(req: Parameters<BillingPort["batchCheckQuota"]>[0]) {
    await Promise.resolve();
    if (this.isDown) throw new AppError("UNAVAILABLE");
    const epoch = req.gatewayEpoch ?? 0n;
    const results = (req.asks ?? []).map((ask) => this.#ask(ask, epoch));
    const claimResults = (req.claims ?? []).map((claim) => this.#claim(claim));
    for (const claim of req.releasedClaims ?? []) this.#releaseClaim(claim);
    if (this.answersToLose > 0) {
      this.answersToLose--;
      throw new AppError("DEADLINE_EXCEEDED");
    }
    return create(BatchCheckQuotaResponseSchema, { results, claimResults });
  }

  async deductQuota(req: Parameters<BillingPort["deductQuota"]>[0]) {
    await Promise.resolve();
    if (this.isDown) throw new AppError("UNAVAILABLE");
    const lease = this.leases.get(req.leaseId ?? "");
    if (lease === undefined) throw new AppError("LEASE_NOT_FOUND");
    if (lease.settled < (req.finalTotal?.amountNanos ?? 0n)) throw new AppError("JOURNAL_BEHIND");
    this.#end(lease);
    this.heard.push(`close ${req.leaseId}`);
    return create(DeductQuotaResponseSchema, {});
  }

  settleUsage(): SettlementStream {
    const stream = new FakeStream(this);
    if (this.isDown) stream.fail(new AppError("UNAVAILABLE"));
    this.#streams.push(stream);
    return stream;
  }

  /** Takes back the leases of older epochs, as `drained` allows. */
  drain(epoch: bigint): void {
    this.drained = epoch;
    for (const lease of this.leases.values()) if (lease.epoch <= epoch) this.#end(lease);
  }

  /** Charges an item once. */
  settle(item: UsageItem): SettleStatus {
    const id = Buffer.from(item.id).toString("hex");
    if (this.items.has(id)) return SettleStatus.DUPLICATE;
    if (item.errorCode === ErrorReason.USAGE_ABSURD) return SettleStatus.DEAD_LETTERED;
    this.items.set(id, item);
    const account = this.account(item.accountId);
    const name = `lse_${Buffer.from(item.leaseId).toString("hex")}`;
    const lease = this.leases.get(name);
    const isLive = lease?.isOpen === true;
    const room = isLive ? lease.granted - lease.settled : 0n;
    const fromLease = minNanos(item.costNanos, room);
    const excess = item.costNanos - fromLease;
    const fromAvailable = minNanos(excess, account.available);
    if (isLive) lease.settled += fromLease;
    account.held -= fromLease;
    account.available -= fromAvailable;
    account.receivable += excess - fromAvailable;
    account.spent += item.costNanos;
    this.#endClaim(item);
    return item.leaseId.length > 0 && !isLive ? SettleStatus.LATE : SettleStatus.APPLIED;
  }

  #ask(
    ask: MessageInitShape<typeof CheckQuotaRequestSchema>,
    epoch: bigint,
  ): MessageInitShape<typeof CheckQuotaResultSchema> {
    this.asks.push(ask);
    if (epoch !== this.epoch) return { error: ErrorReason.EPOCH_STALE };
    const accountId = ask.accountId ?? "";
    if (accountId === "nobody") return { error: ErrorReason.ACCOUNT_NOT_FOUND };
    const account = this.account(accountId);
    const requestId = ask.requestId ?? "";
    const id = ask.leaseId === undefined || ask.leaseId === "" ? requestId : ask.leaseId;
    let lease = this.leases.get(id);
    if (ask.leaseId !== "" && lease === undefined) return { error: ErrorReason.LEASE_NOT_FOUND };
    if (lease?.isOpen === false) return { error: ErrorReason.LEASE_NOT_OPEN };
    const before = account.available;
    if (lease?.lastAsk !== requestId) {
      const estimated = ask.estimatedCost?.amountNanos ?? 0n;
      const minimum = ask.minimumCost?.amountNanos ?? estimated;
      const requests = Number(ask.estimatedRequests ?? 1n);
      const isCovered = account.units >= requests;
      if (!isCovered && before < minimum) {
        const reason = this.#whyNoMore(accountId);
        return {
          response: { decision: Decision.DENY, reason, available: { amountNanos: before } },
        };
      }
      const holders = this.#openLeasesOf(accountId) + (lease === undefined ? 1 : 0);
      lease ??= {
        accountId,
        epoch,
        granted: 0n,
        settled: 0n,
        units: 0,
        isOpen: true,
        lastAsk: "",
      };
      this.leases.set(id, lease);
      const share = before / BigInt(2 * holders);
      const want = estimated + (ask.wantSlice?.amountNanos ?? 0n);
      const wished = want < share ? want : share;
      const slice = wished > estimated ? wished : estimated;
      const added = slice < before ? slice : before;
      const units = Math.min(account.units, requests + Number(ask.wantUnits ?? 0n));
      account.units -= units;
      account.available -= added;
      account.held += added;
      lease.granted += added;
      lease.units += units;
      lease.lastAsk = requestId;
      return this.#granted(id, lease, { account, added, units });
    }
    return this.#granted(id, lease, { account, added: 0n, units: 0 });
  }

  #granted(
    id: string,
    lease: FakeLease,
    grant: { account: Account; added: bigint; units: number },
  ): MessageInitShape<typeof CheckQuotaResultSchema> {
    const { account, added, units } = grant;
    return {
      response: {
        decision: Decision.ALLOW,
        reason: this.#whyNoMore(lease.accountId),
        available: { amountNanos: account.available },
        added: { amountNanos: added },
        addedUnits: BigInt(units),
        lease: {
          id,
          accountId: lease.accountId,
          epoch: lease.epoch,
          granted: { amountNanos: lease.granted },
          settled: { amountNanos: lease.settled },
          grantedUnits: BigInt(lease.units),
          freeUnit: lease.units > 0 ? FreeUnit.REQUESTS : FreeUnit.UNSPECIFIED,
          holders: this.#openLeasesOf(lease.accountId),
          refillBelow: { amountNanos: (added * 3n) / 10n },
          finalUnit: account.available === 0n,
        },
      },
    };
  }

  #openLeasesOf(accountId: string): number {
    const open = [...this.leases.values()].filter((lease) => lease.isOpen);
    return open.filter((lease) => lease.accountId === accountId).length;
  }

  #whyNoMore(accountId: string): ErrorReason {
    const livesOnQuota = this.onQuota.has(accountId) && this.account(accountId).credited === 0n;
    return livesOnQuota ? ErrorReason.INSUFFICIENT_QUOTA : ErrorReason.INSUFFICIENT_BALANCE;
  }

  #end(lease: FakeLease): void {
    if (!lease.isOpen) return;
    lease.isOpen = false;
    const account = this.account(lease.accountId);
    const rest = lease.granted - lease.settled;
    account.held -= rest;
    const paid = minNanos(rest, account.receivable);
    account.receivable -= paid;
    account.available += rest - paid;
  }

  #claim(
    claim: MessageInitShape<typeof RequestClaimSchema>,
  ): MessageInitShape<typeof RequestClaimResultSchema> {
    const key = `${claim.accountId} ${claim.requestId}`;
    const attemptId = Buffer.from(claim.attemptId ?? []).toString("hex");
    const sha256 = Buffer.from(claim.sha256 ?? []).toString("hex");
    const known = this.claims.get(key);
    if (known === undefined) {
      this.claims.set(key, { attemptId, sha256, state: "open" });
      return {};
    }
    if (known.sha256 !== sha256) return { error: ErrorReason.REQUEST_ID_REUSED };
    if (known.state === "charged") {
      const transactionId = `txn_${known.attemptId}`;
      return {
        error: ErrorReason.REQUEST_ALREADY_CHARGED,
        transactionId,
        cost: { amountNanos: 5n },
      };
    }
    return known.attemptId === attemptId ? {} : { error: ErrorReason.REQUEST_IN_PROGRESS };
  }

  #releaseClaim(claim: MessageInitShape<typeof RequestClaimSchema>): void {
    const key = `${claim.accountId} ${claim.requestId}`;
    const attemptId = Buffer.from(claim.attemptId ?? []).toString("hex");
    if (this.claims.get(key)?.attemptId === attemptId) this.claims.delete(key);
  }

  #endClaim(item: UsageItem): void {
    if (!item.claimed) return;
    const key = `${item.accountId} ${item.requestId}`;
    const claim = this.claims.get(key);
    if (item.costNanos === 0n) this.claims.delete(key);
    else if (claim !== undefined) claim.state = "charged";
  }
}

class FakeStream implements SettlementStream {
  readonly #billing: FakeBilling;
  readonly #answers: SettleUsageResponse[] = [];
  #held: Uint8Array[] = [];
  #error: AppError | undefined;
  #isOver = false;
  #wake: () => void = () => undefined;

  constructor(billing: FakeBilling) {
    this.#billing = billing;
  }

  write(frame: Uint8Array): void {
    if (this.#isOver) return;
    if (!this.#billing.isAcknowledging) this.#held.push(frame);
    else this.#take(frame);
  }

  resume(): void {
    for (const frame of this.#held.splice(0)) this.#take(frame);
  }

  fail(error: AppError): void {
    this.#error = error;
    this.cancel();
  }

  cancel(): void {
    this.#isOver = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<SettleUsageResponse> {
    for (;;) {
      for (const answer of this.#answers.splice(0)) yield answer;
      if (this.#error !== undefined) throw this.#error;
      if (this.#isOver) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        if (this.#answers.length > 0 || this.#isOver) resolve();
      });
    }
  }

  #take(frame: Uint8Array): void {
    const { message } = fromBinary(SettleUsageRequestSchema, frame);
    const billing = this.#billing;
    billing.heard.push(
      message.case === "batch" ? `batch ${message.value.items.length}` : `${message.case}`,
    );
    const reply = this.#reply(message);
    if (reply === undefined) return;
    this.#answers.push(create(SettleUsageResponseSchema, { message: reply }));
    this.#wake();
  }

  #reply(message: SettleUsageRequest["message"]): Reply | undefined {
    const billing = this.#billing;
    switch (message.case) {
      case "hello":
        return { case: "welcome", value: { epoch: billing.epoch, validFor: { seconds: 30n } } };
      case "batch": {
        const statuses = message.value.items.map((item) => billing.settle(item));
        return { case: "acknowledgement", value: { sequence: message.value.sequence, statuses } };
      }
      case "renew":
        return { case: "renewed", value: { sequence: message.value.sequence } };
      case "drained":
        billing.drain(message.value.epoch);
        return { case: "drained", value: { epoch: message.value.epoch } };
      default:
        return undefined;
    }
  }
}

type Reply = NonNullable<MessageInitShape<typeof SettleUsageResponseSchema>["message"]>;
