import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { systemClock } from "@farebox/kit/clock";
import type { GrpcClient } from "@farebox/kit/grpc-client";
import { newUuidText } from "@farebox/kit/ids";
import { normalReference } from "@farebox/payment/domain/transfer";
import { keepApproval } from "@farebox/payment/operations/approve-transfer";
import { PaymentMethodKind } from "@farebox/proto/farebox/common/v1/payment_method_kind";
import { PaymentState } from "@farebox/proto/farebox/payment/v1/payment";
import type { PaymentOperationsService } from "@farebox/proto/farebox/payment/v1/payment_operations_service";
import type { RowDataPacket } from "mysql2/promise";
import { awaitCondition } from "../src/faults/await-condition.ts";
import {
  awaitMoney,
  moneyOf,
  type PaymentUnderTest,
  startPaymentForTest,
} from "./payment-under-test.ts";

// Bank transfers: one person says what arrived, another confirms it, and only then is anything credited.

let under: PaymentUnderTest;
let ann: GrpcClient<typeof PaymentOperationsService>;
let bob: GrpcClient<typeof PaymentOperationsService>;
before(async () => {
  under = await startPaymentForTest();
  ann = await under.asPerson("ann");
  bob = await under.asPerson("bob");
});
after(async () => {
  const { drifts } = await under.operations.runReconciliation({ accountId: "" });
  assert.deepEqual(drifts, []);
  await under[Symbol.asyncDispose]();
});

const usd = (cents: number) => ({
  amountNanos: BigInt(cents) * 10_000_000n,
  currencyCode: "USD",
});

async function begin() {
  const { accountId, key } = await under.newCustomer();
  const { order, ...answer } = await under.billing.recharge({
    requestId: newUuidText(),
    accountId,
    amount: usd(1000),
    method: PaymentMethodKind.BANK_TRANSFER,
  });
  const paymentId = order?.paymentId ?? "";
  const transfer = { paymentId, amount: usd(1000), bankReference: newUuidText() };
  return { accountId, key, paymentId, transfer, answer };
}

describe("a bank transfer", () => {
  it("is asked for with a code and with instructions, and is found by its code", async () => {
    const { paymentId, answer } = await begin();
    assert.match(answer.paymentCode, /^FB-[0-9A-Z]{5}-[0-9A-Z]{5}$/);
    assert.equal(answer.paymentUrl, "");
    assert.equal(answer.paymentParams.instructions, "To Farebox, IBAN DE00 0000");
    const { payments } = await under.payments.listPayments({ paymentCode: answer.paymentCode });
    assert.deepEqual(
      payments.map(({ id, provider, state, isTest }) => [id, provider, state, isTest]),
      [[paymentId, "manual", PaymentState.PENDING, true]],
    );
  });

  it("is credited once, when a second person confirms it, however often", async () => {
    const { accountId, transfer } = await begin();
    const { payment: proposed } = await ann.proposeTransfer(transfer);
    assert.equal(proposed?.state, PaymentState.PENDING);
    assert.deepEqual(await moneyOf(under, accountId), [0, 0, 0, 0]);
    const approvals = await Promise.all([1, 2, 3, 4].map(() => bob.approveTransfer(transfer)));
    for (const { payment } of approvals) assert.equal(payment?.state, PaymentState.PAID);
    assert.deepEqual(await moneyOf(under, accountId), [1000, 0, 1000, 0]);
    const { payment } = await ann.proposeTransfer(transfer);
    assert.equal(payment?.state, PaymentState.PAID);
    assert.deepEqual(await moneyOf(under, accountId), [1000, 0, 1000, 0]);
  });

  it("that is another amount than was asked for is parked", async () => {
    const { accountId, transfer } = await begin();
    const other = { ...transfer, amount: usd(999) };
    await ann.proposeTransfer(other);
    const { payment } = await bob.approveTransfer(other);
    assert.equal(payment?.state, PaymentState.PARKED);
    assert.deepEqual(await moneyOf(under, accountId), [0, 0, 0, 0]);
  });

  it("cannot be refunded here", async () => {
    const { paymentId, transfer, key } = await begin();
    await ann.proposeTransfer(transfer);
    await bob.approveTransfer(transfer);
    const refund = { requestId: "back", paymentId };
    await assert.rejects(under.asKey(key).refundPayment(refund), {
      reason: "PAYMENT_METHOD_UNSUITABLE",
    });
  });
});

describe("confirming", () => {
  const refusals: readonly {
    readonly name: string;
    readonly call: (at: Awaited<ReturnType<typeof begin>>) => Promise<unknown>;
    readonly error: object;
  }[] = [
    {
      name: "by whoever proposed it is refused",
      call: async ({ transfer }) => {
        await ann.proposeTransfer(transfer);
        await ann.approveTransfer(transfer);
      },
      error: { reason: "SECOND_PERSON_REQUIRED" },
    },
    {
      name: "another amount than was proposed is refused",
      call: async ({ transfer }) => {
        await ann.proposeTransfer(transfer);
        await bob.approveTransfer({ ...transfer, amount: usd(1) });
      },
      error: { reason: "INVALID_ARGUMENT", metadata: { field: "amount" } },
    },
    {
      name: "another reference than was proposed is refused",
      call: async ({ transfer }) => {
        await ann.proposeTransfer(transfer);
        await bob.approveTransfer({ ...transfer, bankReference: "x" });
      },
      error: { reason: "INVALID_ARGUMENT", metadata: { field: "bank_reference" } },
    },
    {
      name: "what nobody proposed is refused",
      call: ({ transfer }) => bob.approveTransfer(transfer),
      error: { reason: "PAYMENT_WRONG_STATE" },
    },
    {
      name: "by whoever replaced the proposal is refused",
      call: async ({ transfer }) => {
        await ann.proposeTransfer({ ...transfer, amount: usd(1) });
        await bob.proposeTransfer(transfer);
        await bob.approveTransfer(transfer);
      },
      error: { reason: "SECOND_PERSON_REQUIRED" },
    },
    {
      name: "by a service is refused: it is no person",
      call: ({ transfer }) => under.paymentOperations.proposeTransfer(transfer),
      error: { reason: "PERMISSION_DENIED" },
    },
    {
      name: "by a key of nobody is refused",
      call: async ({ transfer }) => (await under.asPerson("")).proposeTransfer(transfer),
      error: { reason: "PERMISSION_DENIED" },
    },
    {
      name: "in another currency is refused",
      call: ({ transfer }) =>
        ann.proposeTransfer({ ...transfer, amount: { ...usd(1000), currencyCode: "EUR" } }),
      error: { reason: "INVALID_ARGUMENT", metadata: { field: "amount.currency_code" } },
    },
    {
      name: "a part of a cent is refused",
      call: ({ transfer }) =>
        ann.proposeTransfer({ ...transfer, amount: { amountNanos: 1n, currencyCode: "USD" } }),
      error: { reason: "INVALID_ARGUMENT", metadata: { field: "amount" } },
    },
    {
      name: "a transfer that pays for another payment is refused, however it is spaced and cased",
      call: async ({ transfer }) => {
        const bankReference = `Wire  ${transfer.bankReference}`;
        await ann.proposeTransfer({ ...transfer, bankReference });
        const other = await begin();
        const again = bankReference.toUpperCase().replaceAll(" ", "");
        await ann.proposeTransfer({ ...other.transfer, bankReference: again });
      },
      error: { reason: "INVALID_ARGUMENT", metadata: { field: "bank_reference" } },
    },
  ];
  for (const { name, call, error } of refusals) {
    it(name, async () => {
      const begun = await begin();
      await assert.rejects(call(begun), error);
      assert.deepEqual(await moneyOf(under, begun.accountId), [0, 0, 0, 0]);
    });
  }

  it("a customer may not", async () => {
    const { key, transfer } = await begin();
    const customer = await under.asKeyOperator(key);
    await assert.rejects(customer.proposeTransfer(transfer), { reason: "PERMISSION_DENIED" });
  });

  it("a transfer for a payment of Stripe's is refused", async () => {
    const { accountId } = await under.newCustomer();
    const { order } = await under.billing.recharge({
      requestId: newUuidText(),
      accountId,
      amount: usd(1000),
    });
    const transfer = { paymentId: order?.paymentId ?? "", amount: usd(1000), bankReference: "r" };
    await assert.rejects(ann.proposeTransfer(transfer), { reason: "PAYMENT_WRONG_STATE" });
  });

  for (const { name, age } of [
    { name: "a payment that still waits", age: "0 DAY" },
    { name: "a payment that Billing was told has expired", age: "31 DAY" },
  ]) {
    it(`credits ${name} when the process dies right after it`, async () => {
      const { accountId, transfer, paymentId } = await begin();
      const id = paymentId.slice(4);
      const deps = { pool: under.pool, clock: systemClock };
      await under.pool.query(
        `UPDATE payment SET create_time = create_time - INTERVAL ${age}, due_time = UTC_TIMESTAMP(3) WHERE id = UNHEX(?)`,
        [id],
      );
      await awaitCondition("the janitor to have looked", async () => {
        const [rows] = await under.pool.query<RowDataPacket[]>(
          "SELECT due_time IS NULL OR due_time > UTC_TIMESTAMP(3) + INTERVAL 5 SECOND AS is_later, is_told FROM payment WHERE id = UNHEX(?)",
          [id],
        );
        return (
          Number(rows[0]?.is_later) === 1 && Number(rows[0]?.is_told) === (age === "0 DAY" ? 0 : 1)
        );
      });
      await ann.proposeTransfer(transfer);
      const { bankReference, amount } = transfer;
      const input = { paymentId: id, amount: amount.amountNanos, currencyCode: "", person: "bob" };
      const reference = normalReference(bankReference) ?? "";
      assert.equal(await keepApproval(deps, { ...input, bankReference: reference }), true);
      await awaitMoney(under, accountId, [1000, 0, 1000, 0]);
      assert.equal(await keepApproval(deps, { ...input, bankReference: reference }), false);
    });
  }
});
