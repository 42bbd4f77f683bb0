import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { AppError } from "@farebox/kit/app-error";
import { chargeDevice, compileDeviceRates } from "@farebox/pricing/device-charge";
import { parseDeviceRateCard } from "@farebox/pricing/device-rates";
import { noDeviceUsage } from "@farebox/pricing/device-usage";
import { AccountService } from "@farebox/proto/farebox/billing/v1/account_service";
import { BillingService, Decision } from "@farebox/proto/farebox/billing/v1/billing_service";
import { CatalogService } from "@farebox/proto/farebox/billing/v1/catalog_service";
import {
  DeviceDimension,
  DeviceQuality,
  type ReportDeviceUsageRequestSchema,
} from "@farebox/proto/farebox/billing/v1/device_usage";
import { ReportService } from "@farebox/proto/farebox/billing/v1/report_service";
import { SettleStatus } from "@farebox/proto/farebox/billing/v1/usage";
import { ErrorReason } from "@farebox/proto/farebox/common/v1/error_reason";
import {
  type BillingUnderTest,
  openAccount,
  startBillingForTest,
  uniqueRequest,
} from "./billing-under-test.ts";
import { assertConserved } from "./support/assert-conserved.ts";

type Report = Omit<
  MessageInitShape<typeof ReportDeviceUsageRequestSchema>,
  "$typeName" | "$unknown"
>;

let home: string;
let billing: BillingUnderTest;
before(async () => {
  home = await mkdtemp(join(tmpdir(), "farebox-devices-"));
  const prices = join(home, "prices.yaml");
  await writeFile(prices, `exchange_rates: [{from: USD, to: EUR, rate: "0.9"}]`);
  billing = await startBillingForTest({ FAREBOX_PRICES: prices });
});
after(async () => {
  await assertConserved(billing.pool);
  await billing[Symbol.asyncDispose]();
  await rm(home, { recursive: true });
});

const service = () => billing.client(BillingService);
const gigabyte = 2n ** 30n;
const hourMs = 3_600_000;
/** A whole hour that is over. */
const beginMs = Math.floor(Date.now() / hourMs) * hourMs - 100 * hourMs;

let allocations = 0;
const newAllocation = () => `alc_${++allocations}`;

/** An hour of one core, of an allocation of its own. */
function report(accountId: string, more: Partial<Report> = {}): Report {
  return {
    requestId: uniqueRequest(),
    accountId,
    allocationId: newAllocation(),
    periodStart: timestampFromMs(beginMs),
    periodEnd: timestampFromMs(beginMs + hourMs),
    cpuCores: 1,
    ...more,
  };
}

/** The period of so many milliseconds from the begin on. */
function period(fromMs: number, toMs: number): Partial<Report> {
  return {
    periodStart: timestampFromMs(beginMs + fromMs),
    periodEnd: timestampFromMs(beginMs + toMs),
  };
}

async function fundedAccount(amountNanos: bigint, currencyCode = "USD") {
  const account = await openAccount(billing, { currencyCode });
  const { accountId } = account;
  await billing
    .client(AccountService)
    .grantCredit({ requestId: uniqueRequest(), accountId, amount: { amountNanos } });
  return account;
}

async function refusal(call: Promise<unknown>): Promise<AppError> {
  try {
    await call;
  } catch (error) {
    return error as AppError;
  }
  throw new assert.AssertionError({ message: "was not refused" });
}

describe("ReportDeviceUsage", () => {
  it("charges the worked example of the default rates: 0.282", async () => {
    const { accountId } = await fundedAccount(1_000_000_000n);
    const measured = DeviceQuality.MEASURED;
    const answer = await service().reportDeviceUsage(
      report(accountId, {
        cpuCores: 0,
        quantities: [
          { dimension: DeviceDimension.CPU, counted: String(3600n * 10n ** 9n), quality: measured },
          { dimension: DeviceDimension.MEMORY, counted: String(7200n * gigabyte * 1000n) },
          { dimension: DeviceDimension.NETWORK, counted: String(10n * gigabyte) },
          { dimension: DeviceDimension.STORAGE, counted: String(100n * gigabyte * 3_600_000n) },
        ],
      }),
    );
    assert.equal(answer.status, SettleStatus.APPLIED);
    assert.equal(answer.charged?.amountNanos, 282_000_000n);
    assert.equal(answer.balance?.available?.amountNanos, 718_000_000n);
    assert.match(answer.transactionId, /^txn_[0-9a-f]{32}$/);
  });

  it("charges what was reserved, for as long as it was, where nothing is stated", async () => {
    const { accountId } = await fundedAccount(1_000_000_000n);
    // Half a core × 0.000012, 2 GB × 0.000004, 8 GB × 0.0001 an hour, each for half an hour.
    const { charged } = await service().reportDeviceUsage(
      report(accountId, {
        cpuCores: 0.5,
        memoryMb: 2048n,
        storageMb: 8192n,
        duration: { seconds: 1800n },
      }),
    );
    assert.equal(charged?.amountNanos, 10_800_000n + 14_400_000n + 400_000n);
  });

  it("charges one of 50 equal reports in parallel, and answers all 50 alike", async () => {
    const { accountId } = await fundedAccount(1_000_000_000n);
    const one = report(accountId);
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => service().reportDeviceUsage(one)),
    );
    const applied = answers.filter((answer) => answer.status === SettleStatus.APPLIED);
    assert.equal(applied.length, 1);
    assert.equal(new Set(answers.map((answer) => answer.transactionId)).size, 1);
    assert.deepEqual(new Set(answers.map((it) => it.charged?.amountNanos)), new Set([43_200_000n]));
    assert.equal(answers.at(-1)?.balance?.available?.amountNanos, 956_800_000n);
  });

  it("charges a second-by-second bill and that of the whole alike, to the nano", async () => {
    const { accountId } = await fundedAccount(1_000_000_000n);
    const facts = { cpuCores: 0.333, memoryMb: 777n, storageMb: 1n };
    const seconds = 400;
    const [allocationId, whole] = [newAllocation(), newAllocation()];
    const reports = Array.from({ length: seconds }, (_, at) =>
      report(accountId, { ...facts, allocationId, ...period(at * 1000, (at + 1) * 1000) }),
    );
    // In any order: here the latest first.
    const { results } = await service().batchReportDeviceUsage({ reports: reports.toReversed() });
    const parts = results.map((result) => result.response?.charged?.amountNanos ?? -1n);
    const { charged } = await service().reportDeviceUsage(
      report(accountId, { ...facts, allocationId: whole, ...period(0, seconds * 1000) }),
    );
    assert.equal(
      parts.reduce((sum, part) => sum + part, 0n),
      charged?.amountNanos,
    );
    assert.ok(new Set(parts).size > 1, "no part carried anything");
  });

  it("takes reports in any order", async () => {
    const { accountId } = await fundedAccount(1_000_000_000n);
    const allocationId = newAllocation();
    for (const at of [2, 0, 1]) {
      const { status } = await service().reportDeviceUsage(
        report(accountId, { allocationId, ...period(at * 1000, (at + 1) * 1000) }),
      );
      assert.equal(status, SettleStatus.APPLIED);
    }
  });

  it("charges out of the lease, and closes it when asked to", async () => {
    const { accountId } = await fundedAccount(1_000_000_000n);
    const { decision, lease } = await service().checkQuota({
      requestId: uniqueRequest(),
      accountId,
      service: "device",
      estimatedCost: { amountNanos: 100_000_000n },
      validFor: { seconds: 7200n },
    });
    assert.equal(decision, Decision.ALLOW);
    const leaseId = lease?.id ?? "";
    const allocationId = newAllocation();
    const first = await service().reportDeviceUsage(report(accountId, { allocationId, leaseId }));
    assert.equal(first.status, SettleStatus.APPLIED);
    assert.deepEqual(
      [first.balance?.available?.amountNanos, first.balance?.held?.amountNanos],
      [900_000_000n, 56_800_000n],
    );
    const last = report(accountId, { allocationId, leaseId, ...period(hourMs, 2 * hourMs) });
    const closed = await service().reportDeviceUsage({ ...last, close: true });
    assert.deepEqual(
      [closed.balance?.available?.amountNanos, closed.balance?.held?.amountNanos],
      [913_600_000n, 0n],
    );
    const again = await service().reportDeviceUsage({ ...last, close: true });
    assert.equal(again.status, SettleStatus.DUPLICATE);
    const late = report(accountId, { allocationId, leaseId, ...period(2 * hourMs, 3 * hourMs) });
    assert.equal((await service().reportDeviceUsage(late)).status, SettleStatus.LATE);
  });

  it("charges what was delivered as debt when the money is not there", async () => {
    const { accountId } = await fundedAccount(1_000_000n);
    const { status, balance } = await service().reportDeviceUsage(report(accountId));
    assert.equal(status, SettleStatus.APPLIED);
    assert.deepEqual(
      [balance?.available?.amountNanos, balance?.receivable?.amountNanos],
      [0n, 42_200_000n],
    );
  });

  it("charges an account of another currency by the operator's rate", async () => {
    const { accountId } = await fundedAccount(1_000_000_000n, "EUR");
    const { charged } = await service().reportDeviceUsage(report(accountId));
    assert.deepEqual([charged?.currencyCode, charged?.amountNanos], ["EUR", 38_880_000n]);
  });

  it("does not charge what could not be measured, and says so on the bill", async () => {
    const { accountId, key } = await fundedAccount(1_000_000_000n);
    const allocationId = newAllocation();
    const { charged } = await service().reportDeviceUsage(
      report(accountId, {
        allocationId,
        memoryMb: 1024n,
        quantities: [
          { dimension: DeviceDimension.CPU, counted: "0", quality: DeviceQuality.UNKNOWN },
        ],
      }),
    );
    assert.equal(charged?.amountNanos, 14_400_000n);
    const { charges } = await billing
      .client(ReportService, key)
      .listDeviceCharges({ allocationId });
    assert.match(charges[0]?.text ?? "", /cpu_seconds could not be measured: not charged/);
  });
});

describe("a report that is refused", () => {
  const oneNanosecond = { dimension: DeviceDimension.CPU, counted: "1" };
  const rows: readonly [what: string, more: Partial<Report>, reason: string, field: string][] = [
    ["of an unknown account", { accountId: "nobody" }, "ACCOUNT_NOT_FOUND", ""],
    ["of an unknown lease", { leaseId: `lse_${"1".repeat(32)}` }, "LEASE_NOT_FOUND", ""],
    ["without an allocation", { allocationId: "" }, "INVALID_ARGUMENT", "allocation_id"],
    ["that ends before it begins", period(1000, 0), "INVALID_ARGUMENT", "period_end"],
    ["of nothing", period(0, 0), "INVALID_ARGUMENT", "period_end"],
    ["of 32 days", period(0, 32 * 24 * hourMs), "INVALID_ARGUMENT", "period_end"],
    ["of a time to come", period(130 * hourMs, 131 * hourMs), "INVALID_ARGUMENT", "period_end"],
    ["of longer than its period", { duration: { seconds: 3601n } }, "INVALID_ARGUMENT", "duration"],
    ["of negative memory", { memoryMb: -1n }, "INVALID_ARGUMENT", "memory_mb"],
    ["of not a number of cores", { cpuCores: Number.NaN }, "INVALID_ARGUMENT", "cpu_cores"],
    ["of a ten-thousandth of a core", { cpuCores: 0.0001 }, "INVALID_ARGUMENT", "cpu_cores"],
    [
      "of a dimension twice",
      { quantities: [oneNanosecond, oneNanosecond] },
      "INVALID_ARGUMENT",
      "quantities",
    ],
    [
      "with a count of what is unknown",
      { quantities: [{ dimension: 1, counted: "1", quality: DeviceQuality.UNKNOWN }] },
      "INVALID_ARGUMENT",
      "quantities",
    ],
    [
      "of no whole number",
      { quantities: [{ dimension: 1, counted: "1.5" }] },
      "INVALID_ARGUMENT",
      "quantities[0].counted",
    ],
    [
      "of more than there is money",
      { quantities: [{ dimension: 1, counted: "9".repeat(30) }] },
      "USAGE_ABSURD",
      "quantities",
    ],
    ["of another tenant's", { tenantId: "else" }, "INVALID_ARGUMENT", "tenant_id"],
    ["that closes no lease", { close: true }, "INVALID_ARGUMENT", "lease_id"],
  ];
  for (const [what, more, reason, field] of rows) {
    it(`${what}: ${reason} ${field}`, async () => {
      const { accountId } = await fundedAccount(1n);
      const error = await refusal(service().reportDeviceUsage(report(accountId, more)));
      assert.deepEqual([error.reason, error.metadata.field ?? ""], [reason, field]);
    });
  }

  it("of an overlapping period, or of the same one with other content", async () => {
    const { accountId } = await fundedAccount(1_000_000_000n);
    const allocationId = newAllocation();
    const first = report(accountId, { allocationId, ...period(1000, 3000) });
    await service().reportDeviceUsage(first);
    for (const [fromMs, toMs] of [
      [0, 1001],
      [2999, 5000],
      [1500, 2000],
      [0, 5000],
      [1000, 2000],
      [1000, 4000],
    ] as const) {
      const other = report(accountId, { allocationId, ...period(fromMs, toMs) });
      const error = await refusal(service().reportDeviceUsage(other));
      assert.equal(error.reason, "DEVICE_PERIOD_CONFLICT", `${fromMs} to ${toMs}`);
    }
    const changed = { ...first, requestId: uniqueRequest(), cpuCores: 2 };
    const error = await refusal(service().reportDeviceUsage(changed));
    assert.equal(error.reason, "DEVICE_PERIOD_CONFLICT");
    for (const [fromMs, toMs] of [
      [0, 1000],
      [3000, 4000],
    ] as const) {
      await service().reportDeviceUsage(
        report(accountId, { allocationId, ...period(fromMs, toMs) }),
      );
    }
  });

  it("under a request id of another report, also of another allocation at the same moment", async () => {
    const { accountId } = await fundedAccount(1_000_000_000n);
    const requestId = uniqueRequest();
    const answers = await Promise.allSettled(
      Array.from({ length: 10 }, () =>
        service().reportDeviceUsage(report(accountId, { requestId })),
      ),
    );
    const refused = answers.filter((answer) => answer.status === "rejected");
    assert.equal(refused.length, 9);
    assert.deepEqual(
      new Set(refused.map((answer) => answer.reason.reason)),
      new Set(["REQUEST_ID_REUSED"]),
    );
  });

  it("of an allocation that another account pays for, even to the letter", async () => {
    const [mine, theirs] = [await fundedAccount(1_000_000_000n), await fundedAccount(1n)];
    const first = report(mine.accountId);
    await service().reportDeviceUsage(first);
    const error = await refusal(
      service().reportDeviceUsage({ ...first, accountId: theirs.accountId }),
    );
    assert.deepEqual([error.reason, error.metadata.field], ["INVALID_ARGUMENT", "allocation_id"]);
  });

  it("in a currency that nobody sells devices in", async () => {
    const { accountId } = await fundedAccount(1n, "JPY");
    const error = await refusal(service().reportDeviceUsage(report(accountId)));
    assert.equal(error.reason, "EXCHANGE_RATE_MISSING");
  });
});

describe("BatchReportDeviceUsage", () => {
  it("charges all but the reports at fault, and names those", async () => {
    const { accountId } = await fundedAccount(1_000_000_000n);
    const reports = Array.from({ length: 50 }, () => report(accountId));
    reports[7] = report(accountId, { memoryMb: -1n });
    reports[8] = report("nobody");
    reports[9] = report(accountId, { allocationId: reports[3]?.allocationId ?? "", cpuCores: 3 });
    reports[10] = { ...reports[2] };
    const { results } = await service().batchReportDeviceUsage({ reports });
    assert.equal(results.length, 50);
    assert.deepEqual(
      [results[7]?.error, results[7]?.field],
      [ErrorReason.INVALID_ARGUMENT, "memory_mb"],
    );
    assert.equal(results[8]?.error, ErrorReason.ACCOUNT_NOT_FOUND);
    assert.equal(results[9]?.error, ErrorReason.DEVICE_PERIOD_CONFLICT);
    const [first, second] = [results[2]?.response, results[10]?.response];
    assert.equal(first?.transactionId, second?.transactionId);
    const applied = results.filter((it) => it.response?.status === SettleStatus.APPLIED);
    assert.equal(applied.length, 46);
  });

  it("refuses none and more than 500", async () => {
    for (const length of [0, 501]) {
      const reports = Array.from({ length }, () => report("a"));
      const error = await refusal(service().batchReportDeviceUsage({ reports }));
      assert.deepEqual([error.reason, error.metadata.field], ["INVALID_ARGUMENT", "reports"]);
    }
  });
});

describe("a bill of devices", () => {
  it("is recomputed from what it shows alone", async () => {
    const { accountId, key } = await fundedAccount(1_000_000_000n);
    const allocationId = newAllocation();
    for (const at of [0, 1, 2]) {
      await service().reportDeviceUsage(
        report(accountId, {
          ...{ allocationId, deviceId: "phone-7", userId: "ann", memoryMb: 333n },
          ...period(at * 1000, (at + 1) * 1000),
        }),
      );
    }
    const reports = billing.client(ReportService, key);
    const first = await reports.listDeviceCharges({ pageSize: 2 });
    const rest = await reports.listDeviceCharges({ pageSize: 2, pageToken: first.nextPageToken });
    assert.deepEqual([first.charges.length, rest.charges.length, rest.nextPageToken], [2, 1, ""]);
    const charges = [...first.charges, ...rest.charges];
    for (const charge of charges) {
      assert.partialDeepStrictEqual(charge, { allocationId, deviceId: "phone-7", userId: "ann" });
      const rates = compileDeviceRates(parseDeviceRateCard(charge.rateCardJson));
      const counted = (dimension: DeviceDimension) =>
        BigInt(charge.quantities.find((it) => it.dimension === dimension)?.counted ?? -1);
      const usage = {
        ...noDeviceUsage,
        cpuNanoseconds: counted(DeviceDimension.CPU),
        memoryByteMilliseconds: counted(DeviceDimension.MEMORY),
      };
      const [parts = "", whole = "1"] = charge.carriedIn.split("/");
      assert.ok(whole === "1" || BigInt(whole) === rates.denominator);
      const { nanos, carry } = chargeDevice(rates, usage, BigInt(parts));
      assert.equal(nanos, charge.charged?.amountNanos);
      assert.equal(carry === 0n ? "0" : `${carry}/${rates.denominator}`, charge.carriedOut);
    }
  });

  it("explains the transaction that a report became, which stands in lists and summaries", async () => {
    const { accountId, key } = await fundedAccount(1_000_000_000n);
    const one = report(accountId);
    const { transactionId } = await service().reportDeviceUsage(one);
    const reports = billing.client(ReportService, key);
    const { transactions } = await reports.listTransactions({});
    assert.partialDeepStrictEqual(transactions[0], {
      ...{ id: transactionId, service: "device", model: "device" },
      upstreamId: one.allocationId ?? "",
    });
    const { charges } = await reports.explainCharge({ requestId: transactionId });
    assert.match(charges[0]?.text ?? "", /cpu_seconds 3600 × 0.000012 USD/);
    assert.match(charges[0]?.text ?? "", /charged 0.0432 USD/);
    const { total } = await reports.getCostSummary({});
    assert.equal(total?.amountNanos, 43_200_000n);
  });
});

describe("device rates", () => {
  const rates = {
    currencyCode: "USD",
    cpuSecond: "0.00002",
    memoryGbSecond: "0.000004",
    storageGbHour: "0.0001",
    networkGb: "0.02",
    gpuSecond: "0.0006",
  };

  it("charge periods that begin later, and leave those before as they were", async () => {
    const { accountId, key } = await fundedAccount(1_000_000_000n);
    const catalogue = billing.client(CatalogService);
    const before = await billing.client(CatalogService, key).getDeviceRateCard({});
    const fromMs = Date.now() + 60_000;
    const requestId = uniqueRequest();
    const wanted = { ...rates, effectiveFrom: timestampFromMs(fromMs) };
    const { rates: kept } = await catalogue.setDeviceRates({ requestId, rates: wanted });
    assert.deepEqual([kept?.cpuSecond, kept?.markup], ["0.00002", "1"]);
    const again = await catalogue.setDeviceRates({ requestId, rates: wanted });
    assert.deepEqual(again.rates, kept);
    const other = { ...wanted, cpuSecond: "1" };
    const error = await refusal(catalogue.setDeviceRates({ requestId, rates: other }));
    assert.equal(error.reason, "REQUEST_ID_REUSED");

    const chargedFor = async (startMs: number) => {
      const [periodStart, periodEnd] = [timestampFromMs(startMs), timestampFromMs(startMs + 1000)];
      const one = report(accountId, { periodStart, periodEnd });
      return (await service().reportDeviceUsage(one)).charged?.amountNanos;
    };
    assert.equal(await chargedFor(fromMs - 1), 12_000n);
    assert.equal(await chargedFor(fromMs), 20_000n);
    const after = await billing.client(CatalogService, key).getDeviceRateCard({});
    assert.equal(after.rateCardId, before.rateCardId);

    const { rates: newest, nextPageToken } = await catalogue.listDeviceRates({ pageSize: 1 });
    const { rates: first } = await catalogue.listDeviceRates({ pageToken: nextPageToken });
    assert.deepEqual(newest, [kept]);
    assert.equal(first.at(-1)?.cpuSecond, "0.000012");
  });

  const faults: readonly [field: string, value: object, why: string][] = [
    ["cpu_second", { cpuSecond: "-1" }, "below zero"],
    ["memory_gb_second", { memoryGbSecond: "" }, "missing"],
    ["storage_gb_hour", { storageGbHour: "1e3" }, "no decimal"],
    ["network_gb", { networkGb: "9999999" }, "too much"],
    ["markup", { markup: "1001" }, "too much"],
    ["effective_from", { effectiveFrom: timestampFromMs(1) }, "past"],
    ["currency_code", { currencyCode: "usd" }, "no currency"],
  ];
  for (const [field, value, why] of faults) {
    it(`refuse ${field} that is ${why}`, async () => {
      const requestId = uniqueRequest();
      const call = billing.client(CatalogService).setDeviceRates({
        requestId,
        rates: { ...rates, ...value },
      });
      const error = await refusal(call);
      assert.deepEqual(
        [error.reason, error.metadata.field],
        ["INVALID_ARGUMENT", `rates.${field}`],
      );
    });
  }
});
