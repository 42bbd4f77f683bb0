import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { AppError } from "@farebox/kit/app-error";
import { methodRules } from "@farebox/kit/auth-interceptor";
import type { Clock } from "@farebox/kit/clock";
import { connectRoutes } from "@farebox/kit/connect-mount";
import type { CallOptions } from "@farebox/kit/grpc-client";
import { createChain } from "@farebox/kit/interceptors";
import type { Logger } from "@farebox/kit/logger";
import type { Metrics } from "@farebox/kit/metrics";
import type { Caller, RpcContext, RpcImpl } from "@farebox/kit/rpc-context";
import { type ServiceMount, serviceMount } from "@farebox/kit/service-mount";
import { AccountService } from "@farebox/proto/farebox/billing/v1/account_service";
import { BillingService } from "@farebox/proto/farebox/billing/v1/billing_service";
import { CatalogService } from "@farebox/proto/farebox/billing/v1/catalog_service";
import { OperationsService } from "@farebox/proto/farebox/billing/v1/operations_service";
import { ReportService } from "@farebox/proto/farebox/billing/v1/report_service";
import { DeviceService } from "@farebox/proto/farebox/device/v1/device_service";
import { PaymentOperationsService } from "@farebox/proto/farebox/payment/v1/payment_operations_service";
import { PaymentService } from "@farebox/proto/farebox/payment/v1/payment_service";
import type { PublicRequest } from "./http/public-server.ts";
import { sendRefusal } from "./http/send-refusal.ts";

/** The services that clients of the edge may call, but for their methods between Farebox's own services. */
export const consoleServices = [
  AccountService,
  BillingService,
  CatalogService,
  OperationsService,
  ReportService,
  PaymentService,
  PaymentOperationsService,
  DeviceService,
] as const satisfies readonly DescService[];

export type ConsoleApiDeps = {
  /**
   * A client of a service without any credential of the gateway's own: the caller's key goes with each call. Undefined for a
   * service that is not configured here: its methods are refused with PAYMENT_UNAVAILABLE or UNAVAILABLE.
   */
  readonly clientOf: (service: DescService) => object | undefined;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
};

/**
 * Serves Connect and gRPC-Web over HTTP/1.1 at `/farebox.<package>.v1.<Service>/<Method>`, and passes each call on to
 * Billing, Payment or Device as the caller, with the caller's own key: they decide what that key may do. A service token from outside goes nowhere.
 * JSON is strict, errors keep their details, other origins are not answered with CORS headers and so cannot read anything.
 */
export function createConsoleApi(deps: ConsoleApiDeps): (request: PublicRequest) => void {
  const keys = new WeakMap<Caller, string>();
  const chain = createChain({
    ...deps,
    serviceTokens: [],
    // Nothing is decided here: the key is kept for the service, which knows what it may do.
    authenticateKey: async (secret) => {
      const caller: Caller = { kind: "service", name: "edge" };
      keys.set(caller, secret);
      return caller;
    },
  });
  const credentialOf = ({ caller }: RpcContext) => {
    const key = keys.get(caller);
    if (key === undefined) throw new AppError("UNAUTHENTICATED");
    return `Bearer ${key}`;
  };
  const mounts = consoleServices.map((service) =>
    mountForwarder(service, deps.clientOf(service), credentialOf),
  );
  const adapter = connectNodeAdapter({ routes: connectRoutes(mounts, chain) });
  const paths = new Set(consoleServices.flatMap(clientPaths));
  return ({ req, res, path }) => {
    if (paths.has(path)) return void adapter(req, res);
    const manner = { dialect: "openai", requestId: undefined, topUpUrl: undefined } as const;
    const acceptLanguage = req.headers["accept-language"];
    sendRefusal(res, new AppError("ROUTE_NOT_FOUND"), { ...manner, acceptLanguage });
  };
}

function clientPaths(service: DescService): readonly string[] {
  const methods = service.methods.filter(isForClients);
  return methods.map((method) => `/${service.typeName}/${method.name}`);
}

/** True for the methods that a client of the edge may call: one answer, and not between Farebox's own services. */
export function isForClients(method: DescMethod): boolean {
  const { scope } = methodRules(method);
  return scope !== undefined && scope !== "SERVICE" && method.methodKind !== "bidi_streaming";
}

type Forward = (request: object, options: CallOptions) => object;

/** Implements a service by calling the same method of a client. The service checks the request, so that one place does. */
function mountForwarder(
  service: DescService,
  client: object | undefined,
  credentialOf: (ctx: RpcContext) => string,
): ServiceMount {
  const impl: Partial<RpcImpl<DescService>> = {};
  const names: string[] = [];
  for (const method of service.methods) {
    if (!isForClients(method)) continue;
    const call = client === undefined ? refusalOf(service) : forwardOf(client, method.localName);
    names.push(method.localName);
    Reflect.set(impl, method.localName, (request: object, ctx: RpcContext) =>
      call(request, {
        signal: ctx.signal,
        metadata: { authorization: credentialOf(ctx), "x-request-id": ctx.requestId },
      }),
    );
  }
  return serviceMount(service, impl, { unvalidated: names });
}

function refusalOf({ typeName }: DescService): Forward {
  const isPayment = typeName.startsWith("farebox.payment.");
  return () => {
    throw new AppError(isPayment ? "PAYMENT_UNAVAILABLE" : "UNAVAILABLE");
  };
}

/** Sound because a client has a function of this shape for every method of its service. */
function forwardOf(client: object, name: string): Forward {
  return Reflect.get(client, name) as Forward;
}
