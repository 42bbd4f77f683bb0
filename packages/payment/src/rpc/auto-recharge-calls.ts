import type { RpcImpl } from "@farebox/kit/rpc-context";
import type { Money } from "@farebox/proto/farebox/common/v1/money";
import type { PaymentService } from "@farebox/proto/farebox/payment/v1/payment_service";
import type { PaymentDeps } from "../operations/payment-deps.ts";
import { getAutoRecharge, setAutoRecharge } from "../operations/set-auto-recharge.ts";
import { fromMethodId, toProtoAutoRecharge } from "./convert-payment.ts";
import { requireAccount } from "./saved-method-calls.ts";

/** The calls of `PaymentService` about automatic recharges. */
export function autoRecharges(deps: PaymentDeps) {
  return {
    getAutoRecharge: async (req) => {
      const accountId = requireAccount(req.accountId);
      const setting = await getAutoRecharge(deps, accountId);
      return { autoRecharge: setting ? toProtoAutoRecharge(setting) : { accountId } };
    },
    setAutoRecharge: async (req) => {
      const setting = await setAutoRecharge(deps, {
        accountId: requireAccount(req.accountId),
        enabled: req.enabled,
        threshold: fromMoney(req.threshold),
        amount: fromMoney(req.amount),
        paymentMethodId: fromMethodId(req.paymentMethodId),
        limitPerMonth: fromMoney(req.limitPerMonth),
        attemptsPerDay: req.attemptsPerDay,
      });
      return { autoRecharge: toProtoAutoRecharge(setting) };
    },
  } satisfies Partial<RpcImpl<typeof PaymentService>>;
}

function fromMoney(money: Money | undefined) {
  return money && { nanos: money.amountNanos, currencyCode: money.currencyCode };
}
