/** A way to pay, as the database and the settings spell it. */
export type PayableKind = (typeof payableKinds)[number];

/** Every way to pay that can be switched on. */
export const payableKinds = ["card", "alipay", "wechat_pay"] as const;

/** How the contract spells them. */
export type MethodKind = "UNSPECIFIED" | "CARD" | "ALIPAY" | "WECHAT_PAY" | "BANK_TRANSFER";

/** What a way to pay can do. */
export type MethodCapabilities = {
  readonly kind: MethodKind;
  /** Whether it can be saved and charged without the payer. */
  readonly offSession: boolean;
  /** For how many days after the payment it can be refunded. */
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
    ...{ offSession: true, disputable: true, asynchronous: false },
    refundableDays: 180,
    currencyCodes: [],
  },
  alipay: {
    kind: "ALIPAY",
    ...{ offSession: false, disputable: false, asynchronous: true },
    refundableDays: 90,
    currencyCodes: alipayCurrencies,
  },
  wechat_pay: {
    kind: "WECHAT_PAY",
    ...{ offSession: false, disputable: false, asynchronous: true },
    refundableDays: 180,
    currencyCodes: wechatCurrencies,
  },
};

/** What pays in a currency by the kind asked for, of those switched on; all of them when it is left to the payer. */
export function kindsFor(
  switchedOn: readonly PayableKind[],
  asked: MethodKind,
  currencyCode: string,
): readonly PayableKind[] {
  return switchedOn.filter((name) => {
    const { kind, currencyCodes } = methodCapabilities[name];
    const takes = currencyCodes.length === 0 || currencyCodes.includes(currencyCode);
    return takes && (asked === "UNSPECIFIED" || asked === kind);
  });
}
