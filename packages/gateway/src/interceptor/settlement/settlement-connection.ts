import { durationMs } from "@bufbuild/protobuf/wkt";
import { AppError } from "@farebox/kit/app-error";
import type {
  SettleAcknowledgement,
  SettleUsageResponse,
  SettleWelcome,
} from "@farebox/proto/farebox/billing/v1/billing_service";
import { SettleStatus } from "@farebox/proto/farebox/billing/v1/usage";
import type { SettlementStream } from "../billing-port.ts";
import { BatchShipper } from "./batch-shipper.ts";
import type { Instant } from "./gateway-epoch.ts";
import { settleFrame } from "./settle-frames.ts";
import type { SettlementDeps, SettlementState } from "./settlement-client.ts";

/** One life of the settlement stream: hello, welcome, then batches, renewals and, once it is true, `drained`. */
export class SettlementConnection {
  readonly #deps: SettlementDeps;
  readonly #state: SettlementState;
  readonly #onProgress: () => void;
  readonly #stream: SettlementStream;
  #shipper: BatchShipper | undefined;
  #helloAt: Instant;
  #renewal: { readonly sequence: bigint; readonly sentAt: Instant } | undefined;
  #renewals = 0n;
  readonly #closing = new AbortController();
  #drainedSent = 0n;
  #isOpen = true;
  #error: unknown;
  /** Whether Billing ever answered on this stream. */
  wasWelcome = false;

  constructor(deps: SettlementDeps, state: SettlementState, onProgress: () => void) {
    this.#deps = deps;
    this.#state = state;
    this.#onProgress = onProgress;
    this.#stream = deps.billing.settleUsage();
    this.#helloAt = deps.epoch.now();
  }

  get isWelcome(): boolean {
    return this.#isOpen && this.wasWelcome;
  }

  /** Runs until the stream ends; throws what ended it. */
  async run(): Promise<void> {
    this.#helloAt = this.#deps.epoch.now();
    const { gatewayId } = this.#deps;
    this.#send({ case: "hello", value: { gatewayId, bootId: this.#state.bootId } });
    this.#awaitWelcome().catch(() => undefined);
    try {
      for await (const response of this.#stream) this.#take(response);
    } finally {
      this.#isOpen = false;
    }
    if (this.#error !== undefined) throw this.#error;
  }

  /** States that the journal has more to ship. */
  wake(): void {
    this.#shipper?.wake();
  }

  /** Ships what is there without waiting for more. */
  flush(): void {
    this.#shipper?.flush();
  }

  /** Ends the stream. */
  async close(): Promise<void> {
    this.#isOpen = false;
    this.#closing.abort();
    this.#stream.cancel();
    await this.#shipper?.close();
  }

  #take({ message }: SettleUsageResponse): void {
    switch (message.case) {
      case "welcome":
        this.#takeWelcome(message.value);
        break;
      case "acknowledgement":
        this.#takeAcknowledgement(message.value);
        break;
      case "renewed":
        this.#takeRenewed(message.value.sequence);
        break;
      case "drained":
        this.#takeDrained(message.value.epoch);
        break;
      default:
        break;
    }
  }

  #takeWelcome(welcome: SettleWelcome): void {
    const { epoch, journal, log } = this.#deps;
    const validForMs = welcome.validFor === undefined ? 0 : durationMs(welcome.validFor);
    const isNew = epoch.welcome(welcome.epoch, validForMs, this.#helloAt);
    log.info({ event: "settlement.welcome", epoch: String(welcome.epoch), isNew });
    this.wasWelcome = true;
    this.#state.figures.connects++;
    this.#shipper = new BatchShipper({
      journal,
      write: (frame) => this.#stream.write(frame),
      from: this.#state.acknowledged,
      onError: (error) => this.#lose(error),
    });
    this.#shipper.flush();
    this.#advance();
    this.#beat(Math.min(renewMsMax, validForMs / renewalsPerLife)).catch(() => undefined);
  }

  #takeAcknowledgement({ sequence, statuses }: SettleAcknowledgement): void {
    const shipper = this.#shipper;
    if (shipper?.acknowledge(Number(sequence), statuses.length) !== true) {
      this.#lose(`acknowledgement ${sequence} of ${statuses.length} items answers no batch`);
      return;
    }
    const { figures } = this.#state;
    figures.batches++;
    for (const status of statuses) figures.items[status] = (figures.items[status] ?? 0) + 1;
    if (statuses.includes(SettleStatus.DEAD_LETTERED)) {
      const count = statuses.filter((status) => status === SettleStatus.DEAD_LETTERED).length;
      this.#deps.log.error({ event: "settlement.dead_lettered", count });
    }
    this.#advance();
  }

  /** Takes note of how far Billing has answered, and says `drained` when the older epochs owe nothing more. */
  #advance(): void {
    const { journal, epoch, replayEnd } = this.#deps;
    const shipper = this.#shipper;
    if (shipper === undefined) return;
    this.#state.acknowledged = Math.max(this.#state.acknowledged, shipper.answered);
    journal.acknowledge(this.#state.acknowledged);
    this.#onProgress();
    const before = (epoch.current?.number ?? 0n) - 1n;
    if (before <= this.#state.drained && this.#state.isReady) return;
    if (this.#drainedSent === before && this.#drainedSent !== 0n) return;
    if (this.#state.acknowledged < replayEnd || !epoch.isDrained(this.#state.acknowledged)) return;
    this.#drainedSent = before;
    this.#send({ case: "drained", value: { epoch: before } });
  }

  #takeDrained(number: bigint): void {
    const { epoch } = this.#deps;
    if (epoch.current === undefined || number !== epoch.current.number - 1n) return;
    this.#state.drained = number;
    this.#state.isReady = true;
    epoch.forgetOlder();
    this.#onProgress();
  }

  /** Gives a stream up whose other end does not answer the hello. */
  async #awaitWelcome(): Promise<void> {
    await this.#deps.clock.sleep(answerMsMax, this.#closing.signal);
    if (this.#isOpen && !this.wasWelcome) this.#lose("no welcome");
  }

  /** Renews the leases, several times in their life, and gives up a stream that does not answer. */
  async #beat(pauseMs: number): Promise<void> {
    while (this.#isOpen) {
      await this.#deps.clock.sleep(pauseMs, this.#closing.signal);
      if (this.#isOpen) this.#renew();
    }
  }

  #renew(): void {
    const { epoch } = this.#deps;
    const sentAt = epoch.now();
    if (this.#renewal !== undefined) {
      const waitedMs = sentAt.monotonicMs - this.#renewal.sentAt.monotonicMs;
      if (waitedMs >= answerMsMax) this.#lose("no answer to a renewal");
      return;
    }
    this.#renewals++;
    this.#renewal = { sequence: this.#renewals, sentAt };
    this.#send({ case: "renew", value: { sequence: this.#renewals } });
    // Also what a call of an older epoch, ended since, was holding up.
    this.#advance();
  }

  #takeRenewed(sequence: bigint): void {
    if (this.#renewal?.sequence !== sequence) return;
    this.#deps.epoch.renew(this.#renewal.sentAt);
    this.#renewal = undefined;
  }

  #send(message: Parameters<typeof settleFrame>[0]): void {
    this.#stream.write(settleFrame(message));
  }

  #lose(cause: unknown): void {
    this.#error ??= new AppError("UNAVAILABLE", "the settlement stream was lost", { cause });
    this.#stream.cancel();
  }
}

const renewMsMax = 5000;
const renewalsPerLife = 4;
/** Longer than Billing may stand still without losing a lease, shorter than a lease lives. */
const answerMsMax = 12_000;
