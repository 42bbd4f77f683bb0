/** A way to pay, as the database and the settings spell it. */
export type PayableKind = (typeof payableKinds)[number];

/** Every way to pay that can be switched on. */
export const payableKinds = ["card", "alipay", "wechat_pay", "bank_transfer"] as const;

/** Who collects money, as the database and the contract spell it. */
export const providerNames = ["stripe", "manual"] as const;
export type ProviderName = (typeof providerNames)[number];

/** How the contract spells them. */
export const methodKinds = [
  "UNSPECIFIED",
  "CARD",
  "ALIPAY",
  "WECHAT_PAY",
  "BANK_TRANSFER",
] as const;
export type MethodKind = (typeof methodKinds)[number];

/** What a way to pay can do. */
export type MethodCapabilities = {
  readonly kind: MethodKind;
  readonly provider: ProviderName;
  /** Whether it can be saved and charged without the payer. */
  readonly offSession: boolean;
  /** For how many days after the payment it can be refunded; 0 for never. */
  readonly refundableDays: number;
  /** Whether the payer's bank can take the money back. */
  readonly disputable: boolean;
  /** Whether the money may arrive long after the payer has paid. */
  readonly asynchronous: boolean;
  /** ISO 4217 codes; empty for all. */
  readonly currencyCodes: readonly string[];
};

const alipayCurrencies = "CNY AUD CAD EUR GBP HKD JPY NZD SGD USD MYR".split(" ");
const wechatCurrencies = "CNY AUD CAD EUR GBP HKD JPY SGD USD DKK NOK SEK CHF".split(" ");

/** Source: Stripe's documentation of payment methods (docs.stripe.com/payments/alipay, /wechat-pay, /refunds), November 2026. */
export const methodCapabilities: Readonly<Record<PayableKind, MethodCapabilities>> = {
  card: {
    kind: "CARD",
    provider: "stripe",
    ...{ offSession: true, disputable: true, asynchronous: false },
    refundableDays: 180,
    currencyCodes: [],
  },
  alipay: {
    kind: "ALIPAY",
    provider: "stripe",
    ...{ offSession: false, disputable: false, asynchronous: true },
    refundableDays: 90,
    currencyCodes: alipayCurrencies,
  },
  wechat_pay: {
    kind: "WECHAT_PAY",
    provider: "stripe",
    ...{ offSession: false, disputable: false, asynchronous: true },
    refundableDays: 180,
    currencyCodes: wechatCurrencies,
  },
  // An operator pays a transfer back at the bank, and takes it off the balance by a correction.
  bank_transfer: {
    kind: "BANK_TRANSFER",
    provider: "manual",
    ...{ offSession: false, disputable: false, asynchronous: true },
    refundableDays: 0,
    currencyCodes: [],
  },
};

/**
 * What pays in a currency by the kind asked for, of those switched on. Left to the payer it is all that the first provider
 * takes: one payment is collected by one provider.
 */
export function kindsFor(
  switchedOn: readonly PayableKind[],
  asked: MethodKind,
  currencyCode: string,
): readonly PayableKind[] {
  const able = payableKinds.filter((name) => {
    const { kind, currencyCodes } = methodCapabilities[name];
    const takes = currencyCodes.length === 0 || currencyCodes.includes(currencyCode);
    return switchedOn.includes(name) && takes && (asked === "UNSPECIFIED" || asked === kind);
  });
  const [first] = able;
  if (first === undefined) return [];
  const { provider } = methodCapabilities[first];
  return able.filter((name) => methodCapabilities[name].provider === provider);
}

/** What a kind can do; undefined for none in particular. */
export function capabilitiesOf(kind: MethodKind): MethodCapabilities | undefined {
  return Object.values(methodCapabilities).find((it) => it.kind === kind);
}
