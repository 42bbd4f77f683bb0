import { apiPosts, readPostPath } from "./api-posts.ts";
import type { Desk } from "./desk.ts";
import type { EmulatedState } from "./emulated-state.ts";
import { expandObject } from "./expand-object.ts";
import type { KeptAnswer } from "./idempotent.ts";
import { requireCustomer } from "./keep-customers.ts";
import { cancelSubscription, renewDue } from "./keep-subscriptions.ts";
import { type ListedObject, listObjects } from "./list-objects.ts";
import { listAt, type Params } from "./read-params.ts";
import { noSuch, StripeFault } from "./stripe-fault.ts";
import type { Till } from "./till.ts";

/** Answers one call of the API: its method, its path below `/v1`, its parameters. Throws a StripeFault before the work begins. */
export type EmulatedApi = (method: string, path: string, params: Params) => KeptAnswer;

/** The calls that are emulated, at a desk. */
export function createEmulatedApi(desk: Desk, till: Till, publicUrl: () => string): EmulatedApi {
  const { state } = desk;
  const readable: Readonly<Record<string, [string, ReadonlyMap<string, Kept>]>> = {
    "checkout/sessions": ["checkout.session", state.sessions],
    customers: ["customer", state.customers],
    payment_methods: ["PaymentMethod", state.methods],
    setup_intents: ["setup_intent", state.setupIntents],
    products: ["product", state.products],
    prices: ["price", state.prices],
    subscriptions: ["subscription", state.subscriptions],
    invoices: ["invoice", state.invoices],
    invoiceitems: ["invoiceitem", state.invoiceItems],
    invoice_payments: ["invoice_payment", state.invoicePayments],
    payment_intents: ["payment_intent", state.intents],
    charges: ["charge", state.charges],
    refunds: ["refund", state.refunds],
    disputes: ["dispute", state.disputes],
    events: ["event", state.events],
  };
  const answerGet = (path: string, params: Params): object => {
    const paths = expansions(params);
    const customer = /^customers\/([^/]+)\/payment_methods$/.exec(path)?.[1];
    if (customer !== undefined) {
      requireCustomer(state.customers, customer);
      return list(state, "payment_methods", state.methods, { ...params, customer });
    }
    for (const [name, [kind, objects]] of Object.entries(readable)) {
      if (path === name) return list(state, name, objects, params);
      if (!path.startsWith(`${name}/`)) continue;
      const id = path.slice(name.length + 1);
      const found = objects.get(id) ?? state.deletedCustomers.get(id);
      if (found === undefined) throw noSuch(kind, id);
      return expandObject(state, found, paths);
    }
    throw unknownPath(path);
  };
  const posts = apiPosts(desk, till, publicUrl);
  const answerPost = (path: string, params: Params): object => {
    const { named, id } = readPostPath(path);
    const work = posts[named];
    if (work === undefined) throw unknownPath(path);
    return expandObject(state, work(id, params), expansions(params));
  };
  return (method, path, params) => {
    till.expireDue();
    renewDue(desk);
    if (method === "GET") return { status: 200, body: answerGet(path, params) };
    if (method === "POST") return working(() => answerPost(path, params));
    const [, kind, id = ""] = /^(customers|subscriptions)\/([^/]+)$/.exec(path) ?? [];
    if (method === "DELETE" && kind === "customers") return working(() => till.deleteCustomer(id));
    if (method === "DELETE" && kind === "subscriptions") {
      return working(() => cancelSubscription(desk, id));
    }
    throw unknownPath(path);
  };
}

type Kept = ListedObject;

/** What the work refuses is an answer that its key repeats; what is wrong with the parameters is not. */
function working(work: () => object): KeptAnswer {
  try {
    return { status: 200, body: work() };
  } catch (error) {
    const isAnswer =
      error instanceof StripeFault && !/^(parameter|resource)_/.test(error.body.code ?? "");
    if (!isAnswer) throw error;
    return { status: error.status, body: { error: error.body } };
  }
}

function list(
  state: EmulatedState,
  name: string,
  objects: ReadonlyMap<string, Kept>,
  params: Params,
): object {
  const paths = expansions(params).flatMap((path) =>
    path.startsWith("data.") ? [path.slice(5)] : [],
  );
  const page = listObjects(objects.values(), params, {
    url: `/v1/${name}`,
    matches: (object) => matches(object, params),
  });
  return { ...page, data: page.data.map((object) => expandObject(state, object, paths)) };
}

function matches(object: object, params: Params): boolean {
  const types = listAt(params, "types");
  const isOf = (name: string) =>
    params[name] === undefined || Reflect.get(object, name) === params[name];
  const isOfType = types.length === 0 || types.includes(Reflect.get(object, "type"));
  const names = ["payment_intent", "charge", "customer", "type", "invoice", "product", "status"];
  return isOfType && names.every(isOf);
}

function expansions(params: Params): readonly string[] {
  return listAt(params, "expand").map(String);
}

function unknownPath(path: string): StripeFault {
  const message = `Unrecognized request URL (/v1/${path}): the emulator does not know it.`;
  return new StripeFault(404, { type: "invalid_request_error", message });
}
