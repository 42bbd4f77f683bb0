import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { kindsFor, payableKinds } from "./method-capabilities.ts";

describe("what pays", () => {
  const cases = [
    { asked: "UNSPECIFIED", currency: "USD", kinds: ["card", "alipay", "wechat_pay"] },
    { asked: "UNSPECIFIED", currency: "BRL", kinds: ["card"] },
    { asked: "CARD", currency: "BRL", kinds: ["card"] },
    { asked: "ALIPAY", currency: "BRL", kinds: [] },
    { asked: "WECHAT_PAY", currency: "DKK", kinds: ["wechat_pay"] },
    { asked: "BANK_TRANSFER", currency: "BRL", kinds: ["bank_transfer"] },
  ] as const;
  for (const { asked, currency, kinds } of cases) {
    it(`${asked} in ${currency}: ${kinds.join(", ") || "nothing"}`, () => {
      assert.deepEqual(kindsFor(payableKinds, asked, currency), kinds);
    });
  }

  it("is a transfer where nothing else is switched on, and never what is switched off", () => {
    assert.deepEqual(kindsFor(["bank_transfer"], "UNSPECIFIED", "USD"), ["bank_transfer"]);
    assert.deepEqual(kindsFor(["alipay", "bank_transfer"], "UNSPECIFIED", "USD"), ["alipay"]);
    assert.deepEqual(kindsFor(["alipay"], "CARD", "USD"), []);
  });
});
