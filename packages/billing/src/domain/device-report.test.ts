import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  checkPeriod,
  completeQuantities,
  type DeviceQuantity,
  decideReport,
  type KnownReports,
  periodMsMax,
  usageOf,
} from "./device-report.ts";

const hourMs = 3_600_000;
const nowMs = 1_000 * 24 * hourMs;

describe("a period", () => {
  for (const [what, startMs, endMs, durationMs, field] of [
    ["of an hour", nowMs - hourMs, nowMs, undefined, undefined],
    ["of the longest time", nowMs - periodMsMax, nowMs, undefined, undefined],
    ["of more than that", nowMs - periodMsMax - 1, nowMs, undefined, "period_end"],
    ["of no time", nowMs, nowMs, undefined, "period_end"],
    ["that ends before it begins", nowMs, nowMs - 1, undefined, "period_end"],
    ["that ends in two days", nowMs + 47 * hourMs, nowMs + 48 * hourMs, undefined, "period_end"],
    ["of which some was used", nowMs - hourMs, nowMs, 5, undefined],
    ["of which all was used", nowMs - hourMs, nowMs, hourMs, undefined],
    ["of which more than all was used", nowMs - hourMs, nowMs, hourMs + 1, "duration"],
  ] as const) {
    it(`${what} is ${field === undefined ? "sound" : `refused by ${field}`}`, () => {
      assert.equal(checkPeriod({ startMs, endMs, durationMs }, nowMs), field);
    });
  }
});

const cpu: DeviceQuantity = { dimension: "cpuNanoseconds", counted: 7n, quality: "MEASURED" };
const reservation = { cpuMillis: 1_500, memoryMb: 2_048n, storageMb: 10n, durationMs: 1_000 };

describe("quantities", () => {
  it("are what was reserved times the time, when nothing is stated", () => {
    const quantities = completeQuantities([], reservation) ?? [];
    assert.deepEqual(usageOf(quantities), {
      cpuNanoseconds: 1_500_000_000n,
      memoryByteMilliseconds: 2n ** 31n * 1_000n,
      storageByteMilliseconds: 10n * 2n ** 20n * 1_000n,
      networkBytes: 0n,
      gpuNanoseconds: 0n,
    });
    assert(quantities.every(({ quality }) => quality === "RESERVED"));
  });

  it("go before what was reserved, a zero and an unknown too", () => {
    const quantities = completeQuantities(
      [
        { ...cpu, counted: 0n },
        { dimension: "memoryByteMilliseconds", counted: 0n, quality: "UNKNOWN" },
      ],
      reservation,
    );
    const usage = usageOf(quantities ?? []);
    assert.equal(usage.cpuNanoseconds, 0n);
    assert.equal(usage.memoryByteMilliseconds, 0n);
    assert.equal(usage.storageByteMilliseconds, 10n * 2n ** 20n * 1_000n);
  });

  it("are refused when a dimension is stated twice, or an unknown one has a count", () => {
    assert.equal(completeQuantities([cpu, cpu], reservation), undefined);
    assert.equal(completeQuantities([{ ...cpu, quality: "UNKNOWN" }], reservation), undefined);
  });
});

describe("a report", () => {
  const report = { accountId: "a", requestId: "r", sha256: "s" };
  const nothing: KnownReports = {
    ownerId: "a",
    samePeriod: undefined,
    isRequestUsed: false,
    isOverlapping: false,
  };
  const same = { requestId: "r", sha256: "s" };
  const rows: readonly [string, KnownReports, ReturnType<typeof decideReport>][] = [
    ["of a new period", nothing, "CHARGE"],
    ["again", { ...nothing, samePeriod: same }, "REPEAT"],
    [
      "again by another request id",
      { ...nothing, samePeriod: { ...same, requestId: "q" } },
      "REPEAT",
    ],
    [
      "again, its own id being used",
      { ...nothing, samePeriod: same, isRequestUsed: true },
      "REPEAT",
    ],
    [
      "with other content under its request id",
      { ...nothing, samePeriod: { ...same, sha256: "t" } },
      "REQUEST_ID_REUSED",
    ],
    [
      "under the request id of another period",
      { ...nothing, isRequestUsed: true },
      "REQUEST_ID_REUSED",
    ],
    [
      "with other content under another request id",
      { ...nothing, samePeriod: { requestId: "q", sha256: "t" } },
      "DEVICE_PERIOD_CONFLICT",
    ],
    ["that overlaps", { ...nothing, isOverlapping: true }, "DEVICE_PERIOD_CONFLICT"],
    ["of another account's allocation", { ...nothing, ownerId: "b" }, "OTHER_ACCOUNT"],
    [
      "of another account's allocation, to the letter",
      { ...nothing, ownerId: "b", samePeriod: same },
      "OTHER_ACCOUNT",
    ],
  ];
  for (const [what, known, decision] of rows) {
    it(`${what}: ${decision}`, () => assert.equal(decideReport(report, known), decision));
  }
});
