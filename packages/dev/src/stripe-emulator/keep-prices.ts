import type Stripe from "stripe";
import type { Desk } from "./desk.ts";
import { keep } from "./emulated-state.ts";
import { makePrice, makeProduct, type PriceInterval } from "./make-price-objects.ts";
import { type Params, textAt, textsAt, valueAt } from "./read-params.ts";
import { badParam, noSuch } from "./stripe-fault.ts";

/** Makes a product. */
export function createProduct({ state, say }: Desk, params: Params): Stripe.Product {
  const name = textAt(params, "name");
  if (name === undefined)
    throw badParam("name", "Missing required param: name.", "parameter_missing");
  const metadata = textsAt(params, "metadata");
  const product = keep(state.products, makeProduct({ name, metadata, created: state.now() }));
  say("product.created", product);
  return product;
}

/** Makes a price, of a product that is known or is made along with it. */
export function createPrice(desk: Desk, params: Params): Stripe.Price {
  const { state, say } = desk;
  const data = valueAt(params, "product_data");
  const named = textAt(params, "product");
  const product =
    typeof data === "object" && data !== null ? createProduct(desk, { ...data }).id : named;
  if (product === undefined || !state.products.has(product)) throw noSuch("product", product ?? "");
  const price = keep(
    state.prices,
    makePrice({
      ...{ product, ...amountIn(params, "unit_amount") },
      every: intervalIn(params),
      created: state.now(),
      metadata: textsAt(params, "metadata"),
    }),
  );
  say("price.created", price);
  return price;
}

/** An amount and its currency, as parameters say. */
export function amountIn(
  params: Params,
  name: string,
): { readonly amount: number; readonly currency: string } {
  const currency = textAt(params, "currency");
  if (currency === undefined) {
    throw badParam("currency", "Missing required param: currency.", "parameter_missing");
  }
  const amount = Number(params[name]);
  if (!Number.isInteger(amount)) {
    throw badParam(name, "Invalid integer.", "parameter_invalid_integer");
  }
  return { amount, currency };
}

function intervalIn(params: Params): PriceInterval | undefined {
  const interval = textAt(params, "recurring", "interval");
  if (interval === undefined) return undefined;
  if (!["day", "week", "month", "year"].includes(interval)) {
    throw badParam("recurring[interval]", "It is day, week, month or year.");
  }
  return { interval, count: Number(textAt(params, "recurring", "interval_count") ?? 1) };
}
