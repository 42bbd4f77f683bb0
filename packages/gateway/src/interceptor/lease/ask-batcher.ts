import type { MessageInitShape } from "@bufbuild/protobuf";
import type { HeldLock, Lock } from "@farebox/kit/lock";
import type {
  BatchCheckQuotaResponse,
  CheckQuotaRequestSchema,
  CheckQuotaResult,
  RequestClaimResult,
  RequestClaimSchema,
} from "@farebox/proto/farebox/billing/v1/billing_service";
import type { BillingPort } from "../billing-port.ts";
import type { GatewayEpoch } from "../settlement/gateway-epoch.ts";

/** What batching needs. */
export type AskBatcherDeps = {
  readonly billing: Pick<BillingPort, "batchCheckQuota">;
  readonly lock: Pick<Lock, "tryLockMany">;
  readonly epoch: GatewayEpoch;
  readonly gatewayId: string;
  /** How long Billing may take to answer a batch. */
  readonly deadlineMs: number;
};

/** A lease ask that travels. Exactly one of the two is called, once; after `failed` it is not known whether it took effect. */
export type TravellingAsk = {
  /** Called when the batch leaves, so that it asks for everybody who waits by then; again for every repetition. */
  readonly request: () => MessageInitShape<typeof CheckQuotaRequestSchema>;
  /** Undefined when no other gateway can be asking. */
  readonly lockKey: string | undefined;
  readonly answered: (result: CheckQuotaResult) => void;
  readonly failed: (error: unknown) => void;
};

/** A claim that travels, on the same terms. */
export type TravellingClaim = {
  readonly claim: MessageInitShape<typeof RequestClaimSchema>;
  readonly answered: (result: RequestClaimResult) => void;
  readonly failed: (error: unknown) => void;
};

/** A claim that is given up, on the same terms. */
export type TravellingRelease = Omit<TravellingClaim, "answered"> & {
  readonly answered: () => void;
};

/**
 * Lets everything that one turn of the event loop asks of Billing travel as one `BatchCheckQuota`, so that ten thousand
 * accounts with one call each cost no more than batching. A few batches may be under way; what is asked meanwhile waits and
 * travels together. Locks only keep gateways from asking for one account at once; a lock that is not obtained is gone without.
 */
export class AskBatcher {
  readonly figures = { batches: 0, failures: 0, asks: 0, claims: 0 };
  readonly #deps: AskBatcherDeps;
  #asks: TravellingAsk[] = [];
  #claims: TravellingClaim[] = [];
  #releases: TravellingRelease[] = [];
  #underWay = 0;
  #isScheduled = false;

  constructor(deps: AskBatcherDeps) {
    this.#deps = deps;
  }

  ask(ask: TravellingAsk): void {
    this.#asks.push(ask);
    this.#schedule();
  }

  claim(claim: TravellingClaim): void {
    this.#claims.push(claim);
    this.#schedule();
  }

  release(release: TravellingRelease): void {
    this.#releases.push(release);
    this.#schedule();
  }

  get #isEmpty(): boolean {
    return this.#asks.length + this.#claims.length + this.#releases.length === 0;
  }

  #schedule(): void {
    if (this.#isScheduled || this.#underWay >= batchesMax) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      while (!this.#isEmpty && this.#underWay < batchesMax) this.#depart();
    });
  }

  #depart(): void {
    const batch = {
      asks: this.#asks.splice(0, itemsMax),
      claims: this.#claims.splice(0, itemsMax),
      releases: this.#releases.splice(0, itemsMax),
    };
    this.#underWay++;
    this.figures.batches++;
    this.figures.asks += batch.asks.length;
    this.figures.claims += batch.claims.length;
    this.#travel(batch).finally(() => {
      this.#underWay--;
      if (!this.#isEmpty) this.#schedule();
    });
  }

  /** Never rejects. */
  async #travel(batch: Batch): Promise<void> {
    let response: BatchCheckQuotaResponse;
    let locks: readonly (HeldLock | undefined)[] = [];
    try {
      const keys = batch.asks.map(({ lockKey }) => lockKey).filter((key) => key !== undefined);
      if (keys.length > 0) locks = await this.#deps.lock.tryLockMany(keys);
      response = await this.#send(batch);
    } catch (error) {
      this.figures.failures++;
      for (const travelling of everyOf(batch)) travelling.failed(error);
      return;
    } finally {
      for (const lock of locks) lock?.release();
    }
    deliver(batch.asks, response.results);
    deliver(batch.claims, response.claimResults);
    for (const release of batch.releases) release.answered();
  }

  #send(batch: Batch): Promise<BatchCheckQuotaResponse> {
    const { billing, epoch, gatewayId, deadlineMs } = this.#deps;
    const request = {
      gatewayId,
      gatewayEpoch: epoch.current?.number ?? 0n,
      asks: batch.asks.map((ask) => ask.request()),
      claims: batch.claims.map(({ claim }) => claim),
      releasedClaims: batch.releases.map(({ claim }) => claim),
    };
    return billing.batchCheckQuota(request, { deadlineMs });
  }
}

type Batch = {
  readonly asks: readonly TravellingAsk[];
  readonly claims: readonly TravellingClaim[];
  readonly releases: readonly TravellingRelease[];
};

function everyOf({ asks, claims, releases }: Batch) {
  return [...asks, ...claims, ...releases];
}

function deliver<R>(
  travelled: readonly {
    readonly answered: (result: R) => void;
    readonly failed: (error: unknown) => void;
  }[],
  results: readonly R[],
): void {
  for (const [index, travelling] of travelled.entries()) {
    const result = results[index];
    if (result === undefined) travelling.failed(new Error("Billing left an answer out"));
    else travelling.answered(result);
  }
}

/** Small enough that decoding an answer does not hold up the calls that need none. */
const itemsMax = 500;
const batchesMax = 4;
