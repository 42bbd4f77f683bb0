import { isRefusal } from "@farebox/kit/app-error";
import type { CallOptions } from "@farebox/kit/grpc-client";
import {
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  ExponentialBackoff,
  handleWhen,
  isBrokenCircuitError,
  retry,
  wrap,
} from "cockatiel";

/** How calls to Billing by the outbox are made: each with a deadline, repeated at once a few times, and not at all while it is away. */
export type ReportPolicy = {
  run<T>(call: (options: CallOptions) => Promise<T>): Promise<T>;
  /** How long one call may take, with all that it is repeated: whoever claimed longer ago has died. */
  readonly runMsMax: number;
  /** False while nothing would be sent. */
  isClosed(): boolean;
};

const backOffMsMax = 2_000;

/**
 * A call that is not answered is repeated with back-off; so many in a row open the circuit for a while, then one is let
 * through. What Billing refuses is an answer: it neither is repeated nor opens the circuit.
 */
export function createReportPolicy(of: {
  readonly timeoutMs: number;
  readonly retriesMax: number;
  readonly breakerFailures: number;
  readonly breakerOpenMs: number;
}): ReportPolicy {
  const unanswered = handleWhen((error) => !isRefusal(error));
  const breaker = circuitBreaker(unanswered, {
    halfOpenAfter: of.breakerOpenMs,
    breaker: new ConsecutiveBreaker(of.breakerFailures),
  });
  // While the circuit is open waiting for it is the next turn's.
  const again = retry(
    handleWhen((error) => !isRefusal(error) && !isBrokenCircuitError(error)),
    {
      maxAttempts: of.retriesMax,
      backoff: new ExponentialBackoff({ initialDelay: 100, maxDelay: backOffMsMax }),
    },
  );
  const policy = wrap(again, breaker);
  const openedFor = createOpenTimer(breaker.onBreak, of.breakerOpenMs);
  return {
    run: (call) => policy.execute(() => call({ deadlineMs: of.timeoutMs })),
    runMsMax: (of.retriesMax + 1) * (of.timeoutMs + backOffMsMax),
    isClosed: () => breaker.state !== CircuitState.Open || openedFor.isOver(),
  };
}

/** The circuit turns half open only when it is tried: this says when trying is worthwhile. */
function createOpenTimer(
  onBreak: (listener: () => void) => unknown,
  openMs: number,
): { isOver(): boolean } {
  let openedMs = -Infinity;
  onBreak(() => {
    openedMs = performance.now();
  });
  return { isOver: () => performance.now() - openedMs >= openMs };
}
