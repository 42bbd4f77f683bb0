import type { DescMethod, Message } from "@bufbuild/protobuf";
import type { Histogram } from "prom-client";
import type { AppError } from "./app-error.ts";
import {
  type AuthenticateKey,
  createAuthenticator,
  enforceAccount,
  enforceScope,
  type MethodRules,
  methodRules,
  type RpcMetadata,
  type ServiceToken,
} from "./auth-interceptor.ts";
import type { Clock } from "./clock.ts";
import { toAppError } from "./error-interceptor.ts";
import { newUuidText } from "./ids.ts";
import type { Logger } from "./logger.ts";
import type { Metrics } from "./metrics.ts";
import { reasonAnswer } from "./reasons.ts";
import type { Caller, Language, RpcContext } from "./rpc-context.ts";
import { createRequestValidator, type ValidateRequest } from "./validate-interceptor.ts";

/** What the chain needs. One chain serves every service of a process, on every transport. */
export type RpcChainOptions = {
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly authenticateKey: AuthenticateKey;
  readonly serviceTokens: readonly ServiceToken[];
  /** Reads errors of a library that are not bugs, e.g. `mysqlAppError`; undefined for all others. */
  readonly translateError?: (error: unknown) => AppError | undefined;
};

/** The interceptors of a process, ready to run. */
export type RpcChain = {
  readonly log: Logger;
  readonly clock: Clock;
  readonly durations: Histogram<"service" | "method" | "code">;
  readonly authenticate: (
    metadata: RpcMetadata,
    signal: () => AbortSignal,
  ) => Caller | Promise<Caller>;
  readonly validate: ValidateRequest;
  readonly translateError: (error: unknown) => AppError | undefined;
};

export function createChain(options: RpcChainOptions): RpcChain {
  return {
    log: options.log,
    clock: options.clock,
    durations: options.metrics.histogram({
      name: "rpc_server_duration_seconds",
      help: "Time from the request to the last byte of the answer, by canonical code.",
      labels: ["service", "method", "code"],
      buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    }),
    authenticate: createAuthenticator(options),
    validate: createRequestValidator(),
    translateError: options.translateError ?? (() => undefined),
  };
}

/** A method as the chain runs it: everything that the contract says, read once when it is mounted. */
export type BoundMethod = {
  readonly chain: RpcChain;
  readonly desc: DescMethod;
  readonly name: string;
  readonly rules: MethodRules;
  readonly isValidated: boolean;
  readonly observers: Map<string, Histogram.Internal<"service" | "method" | "code">>;
};

export function bindMethod(chain: RpcChain, desc: DescMethod, isValidated: boolean): BoundMethod {
  return {
    chain,
    desc,
    name: `${desc.parent.typeName}/${desc.name}`,
    rules: methodRules(desc),
    isValidated,
    observers: new Map(),
  };
}

/** A call as a transport presents it. The signal is asked for only when something needs it. */
export type IncomingRpc = { readonly metadata: RpcMetadata; readonly signal: () => AbortSignal };

/** Lets one request message in: the account rule, then the contract's rules. Returns the message. */
export type Admit = <T extends object>(request: T) => T;

/**
 * Runs one call that has one answer. THE order, for every method on every transport:
 *
 * 1. error: whatever is thrown below leaves as an AppError
 * 2. telemetry: duration by code, a line for each failure
 * 3. auth: who calls, the method's scope, the account rule
 * 4. validate: the contract's rules for the request
 */
export async function runUnary<O>(
  method: BoundMethod,
  call: IncomingRpc,
  serve: (admit: Admit, ctx: RpcContext) => Promise<O>,
): Promise<O> {
  const opened = open(method, call);
  try {
    const caller = await method.chain.authenticate(call.metadata, call.signal);
    enforceScope(method.rules, caller);
    const ctx = contextOf(method, call, opened, caller);
    const answer = await serve((request) => admit(method, caller, request), ctx);
    observe(method, "OK", opened);
    return answer;
  } catch (error) {
    throw failed(method, call, error, opened);
  }
}

/** The same for a call that answers a stream; `auth` is done once, at its start. */
export async function* runStream<O>(
  method: BoundMethod,
  call: IncomingRpc,
  serve: (admit: Admit, ctx: RpcContext) => AsyncIterable<O>,
): AsyncGenerator<O, void, undefined> {
  const opened = open(method, call);
  let isObserved = false;
  try {
    const caller = await method.chain.authenticate(call.metadata, call.signal);
    enforceScope(method.rules, caller);
    const ctx = contextOf(method, call, opened, caller);
    yield* serve((request) => admit(method, caller, request), ctx);
    observe(method, "OK", opened);
    isObserved = true;
  } catch (error) {
    isObserved = true;
    throw failed(method, call, error, opened);
  } finally {
    // Whoever read the answers stopped before their end.
    if (!isObserved) observe(method, "CANCELLED", opened);
  }
}

type OpenedCall = { readonly startMs: number; readonly requestId: string };

function open(method: BoundMethod, call: IncomingRpc): OpenedCall {
  return { startMs: method.chain.clock.monotonicMs(), requestId: requestIdOf(call.metadata) };
}

function admit<T extends object>(method: BoundMethod, caller: Caller, request: T): T {
  enforceAccount(method.rules, caller, request);
  if (method.isValidated && isMessage(request)) method.chain.validate(method.desc, request);
  return request;
}

function isMessage(request: object): request is Message {
  return "$typeName" in request;
}

function contextOf(
  method: BoundMethod,
  call: IncomingRpc,
  opened: OpenedCall,
  caller: Caller,
): RpcContext {
  return {
    caller,
    requestId: opened.requestId,
    language: languageOf(call.metadata),
    method: method.name,
    get signal() {
      return call.signal();
    },
  };
}

/** The client's own id when it is short and printable, else a new one. */
function requestIdOf(metadata: RpcMetadata): string {
  const sent = metadata.get("x-request-id");
  return sent !== undefined && /^[\x21-\x7e]{1,128}$/.test(sent) ? sent : newUuidText();
}

/** The language for messages: Chinese when it stands first in `accept-language`, else English. */
export function languageOf(metadata: RpcMetadata): Language {
  return /^\s*zh\b/i.test(metadata.get("accept-language") ?? "") ? "zh" : "en";
}

function failed(
  method: BoundMethod,
  call: IncomingRpc,
  error: unknown,
  opened: OpenedCall,
): AppError {
  const refusal = method.chain.translateError(error) ?? toAppError(error, call.signal());
  const { code } = reasonAnswer(refusal.reason);
  observe(method, code, opened);
  const line = {
    event: "rpc.failed",
    method: method.name,
    requestId: opened.requestId,
    code,
    reason: refusal.reason,
    ...refusal.metadata,
  };
  if (code === "INTERNAL") method.chain.log.error({ ...line, err: refusal.cause ?? refusal });
  else if (code === "UNAVAILABLE") method.chain.log.warn({ ...line, err: refusal.cause });
  else method.chain.log.info(line);
  return refusal;
}

function observe(method: BoundMethod, code: string, opened: OpenedCall): void {
  let observer = method.observers.get(code);
  if (observer === undefined) {
    observer = method.chain.durations.labels(method.desc.parent.typeName, method.desc.name, code);
    method.observers.set(code, observer);
  }
  observer.observe((method.chain.clock.monotonicMs() - opened.startMs) / 1000);
}
