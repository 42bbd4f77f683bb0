import { fieldError } from "@farebox/kit/app-error";
import type { RpcImpl } from "@farebox/kit/rpc-context";
import type { PaymentService } from "@farebox/proto/farebox/payment/v1/payment_service";
import { addPaymentMethod } from "../operations/add-payment-method.ts";
import type { PaymentDeps } from "../operations/payment-deps.ts";
import { listSavedMethods } from "../operations/read-methods.ts";
import { removePaymentMethod } from "../operations/remove-payment-method.ts";
import { setDefaultMethod } from "../operations/set-default-method.ts";
import { fromId, fromMethod, toProtoMethod } from "./convert-payment.ts";

/** The calls of `PaymentService` about saved methods. */
export function savedMethods(deps: PaymentDeps) {
  return {
    addPaymentMethod: async ({ requestId, accountId, kind, returnUrl }) => {
      const asked = fromMethod(kind);
      const { setupUrl } = await addPaymentMethod(deps, {
        ...{ requestId, accountId: requireAccount(accountId), returnUrl },
        kind: asked === "UNSPECIFIED" ? "CARD" : asked,
      });
      return { setupUrl };
    },
    listPaymentMethods: async ({ accountId }) => {
      const listed = await listSavedMethods(deps, requireAccount(accountId));
      return { paymentMethods: listed.map(toProtoMethod) };
    },
    removePaymentMethod: async ({ accountId, paymentMethodId }) => {
      const id = fromId("pmt", paymentMethodId, "payment_method_id");
      await removePaymentMethod(deps, { accountId: requireAccount(accountId), id });
      return {};
    },
    setDefaultPaymentMethod: async ({ accountId, paymentMethodId }) => {
      const id = fromId("pmt", paymentMethodId, "payment_method_id");
      const method = await setDefaultMethod(deps, { accountId: requireAccount(accountId), id });
      return { paymentMethod: toProtoMethod({ method, isDefault: true }) };
    },
  } satisfies Partial<RpcImpl<typeof PaymentService>>;
}

/** A service token has no account of its own. Errors: INVALID_ARGUMENT. */
export function requireAccount(accountId: string): string {
  if (accountId === "") throw fieldError("account_id", "is missing");
  return accountId;
}
