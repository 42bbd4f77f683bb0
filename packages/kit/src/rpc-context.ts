import type {
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import type { Scope as ScopeNumbers } from "@farebox/proto/farebox/common/v1/access";

/** What every RPC implementation is told about the call, on either transport. */
export type RpcContext = {
  readonly caller: Caller;
  /** The client's `x-request-id`, or an id made here; in every log line of the call. Not an idempotency key. */
  readonly requestId: string;
  /** Aborts when the deadline passes, the client goes away, or the server shuts down. */
  readonly signal: AbortSignal;
  /** What the client reads errors in; "en" unless it asked for Chinese. */
  readonly language: Language;
  /** For example "farebox.billing.v1.BillingService/CheckQuota". */
  readonly method: string;
};

/** Who calls: one of our own processes, or whoever holds an API key. */
export type Caller =
  | { readonly kind: "service"; readonly name: string }
  | {
      readonly kind: "key";
      readonly apiKeyId: string;
      readonly accountId: string;
      readonly userId: string;
      readonly scopes: ReadonlySet<Scope>;
    };

/** What an API key may be used for: the contract's Scope less its prefix. SERVICE is never granted to a key. */
export type Scope = Exclude<keyof typeof ScopeNumbers, "UNSPECIFIED">;

export type Language = "en" | "zh";

/**
 * The implementation of a service, written once and mounted on any transport: one function a method, by local name.
 * A method that is left out answers UNIMPLEMENTED.
 */
export type RpcImpl<S extends DescService> = {
  readonly [M in keyof S["method"]]: RpcMethod<S["method"][M]>;
};

export type RpcMethod<M extends DescMethod> =
  M extends DescMethodUnary<infer I, infer O>
    ? (req: MessageShape<I>, ctx: RpcContext) => Promise<MessageInitShape<O>>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? (req: MessageShape<I>, ctx: RpcContext) => AsyncIterable<MessageInitShape<O>>
      : M extends DescMethodClientStreaming<infer I, infer O>
        ? (reqs: AsyncIterable<MessageShape<I>>, ctx: RpcContext) => Promise<MessageInitShape<O>>
        : M extends DescMethodBiDiStreaming<infer I, infer O>
          ? (
              reqs: AsyncIterable<MessageShape<I>>,
              ctx: RpcContext,
            ) => AsyncIterable<MessageInitShape<O>>
          : never;

/** True for our own processes and for keys that operate the whole installation. */
export function actsForAnyAccount(caller: Caller): boolean {
  return caller.kind === "service" || caller.scopes.has("ADMIN");
}
