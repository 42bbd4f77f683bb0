import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatNanos, parseNanos } from "@farebox/kit/money";
import fc from "fast-check";
import { boundDevice, chargeDevice, compileDeviceRates } from "./device-charge.ts";
import { explainDeviceCharge } from "./device-explain.ts";
import {
  canonicalDeviceRateCard,
  type DeviceRateCard,
  deviceRatesDefault,
  deviceUnits,
  gigabyte,
  parseDeviceRateCard,
} from "./device-rates.ts";
import {
  type DeviceUsage,
  deviceDimensions,
  mapDeviceUsage,
  noDeviceUsage,
} from "./device-usage.ts";
import { PriceError } from "./price-error.ts";

const card: DeviceRateCard = {
  format: 1,
  currency: "USD",
  effectiveFrom: "2026-11-01T00:00:00Z",
  rates: deviceRatesDefault,
  markup: "1",
  exchangeRate: "1",
  accountCurrency: "USD",
  rounding: "DOWN_CARRY",
};

/** In units: seconds, GB-seconds, GB-hours, GB, seconds. */
const used = (cpu: bigint, memory: bigint, network: bigint, storage: bigint): DeviceUsage => ({
  ...noDeviceUsage,
  cpuNanoseconds: cpu * deviceUnits.cpuNanoseconds.size,
  memoryByteMilliseconds: memory * deviceUnits.memoryByteMilliseconds.size,
  networkBytes: network * gigabyte,
  storageByteMilliseconds: storage * deviceUnits.storageByteMilliseconds.size,
});

const quantity = fc.bigInt({ min: 0n, max: 10n ** 18n });
const anyUsage: fc.Arbitrary<DeviceUsage> = fc
  .tuple(quantity, quantity, quantity, quantity, quantity)
  .map(([cpuNanoseconds, memoryByteMilliseconds, storageByteMilliseconds, networkBytes, gpu]) => ({
    ...{ cpuNanoseconds, memoryByteMilliseconds, storageByteMilliseconds, networkBytes },
    gpuNanoseconds: gpu,
  }));
const decimal = fc
  .tuple(fc.nat(20), fc.nat(999_999_999))
  .map(([whole, part]) => `${whole}.${String(part).padStart(9, "0")}`);
const anyCard: fc.Arbitrary<DeviceRateCard> = fc
  .tuple(fc.array(decimal, { minLength: 5, maxLength: 5 }), decimal, decimal)
  .map(([[a = "", b = "", c = "", d = "", e = ""], markup, rate]) => ({
    ...card,
    ...{ markup, exchangeRate: `1${rate}`, accountCurrency: "EUR" },
    rates: {
      ...{ cpuNanoseconds: a, memoryByteMilliseconds: b, storageByteMilliseconds: c },
      ...{ networkBytes: d, gpuNanoseconds: e },
    },
  }));

describe("a device's charge", () => {
  it("is that of the worked example", () => {
    const usage = used(3600n, 7200n, 10n, 100n);
    const { nanos, carry } = chargeDevice(compileDeviceRates(card), usage, 0n);
    assert.equal(formatNanos(nanos), "0.282");
    assert.equal(carry, 0n);
    const { lines, text } = explainDeviceCharge(card, usage);
    assert.deepEqual(
      lines.map(({ unit, amount }) => [unit, amount]),
      [
        ["cpu_seconds", "0.0432"],
        ["memory_gb_seconds", "0.0288"],
        ["storage_gb_hours", "0.01"],
        ["network_gb", "0.2"],
      ],
    );
    assert.match(text, /rounded down once to 9 decimals: 0\.282 USD$/);
  });

  it("of an hour is that of 3600 seconds, to the last nano", () => {
    const rates = compileDeviceRates(card);
    const second: DeviceUsage = {
      ...noDeviceUsage,
      cpuNanoseconds: 333_333_333n,
      memoryByteMilliseconds: 1_000n * 123_456_789n,
      storageByteMilliseconds: 1_000n * 987_654_321n,
    };
    let sum = 0n;
    let carry = 0n;
    for (let at = 0; at < 3600; at += 1) {
      const charge = chargeDevice(rates, second, carry);
      sum += charge.nanos;
      carry = charge.carry;
    }
    const hour = mapDeviceUsage((dimension) => second[dimension] * 3600n);
    assert.deepEqual({ nanos: sum, carry }, chargeDevice(rates, hour, 0n));
  });

  it("adds up to the whole however it is cut", () => {
    fc.assert(
      fc.property(anyCard, fc.array(anyUsage, { maxLength: 8 }), (any, windows) => {
        const rates = compileDeviceRates(any);
        let carry = 0n;
        let sum = 0n;
        for (const window of windows) {
          const charge = chargeDevice(rates, window, carry);
          sum += charge.nanos;
          carry = charge.carry;
        }
        const whole = mapDeviceUsage((it) => windows.reduce((all, window) => all + window[it], 0n));
        assert.deepEqual({ nanos: sum, carry }, chargeDevice(rates, whole, 0n));
      }),
    );
  });

  it("is what its explanation says, and at most its bound", () => {
    fc.assert(
      fc.property(anyCard, anyUsage, (any, usage) => {
        const rates = compileDeviceRates(any);
        const { nanos, carry } = chargeDevice(rates, usage, 0n);
        assert.equal(explainDeviceCharge(any, usage).roundedNanos, nanos);
        assert.equal(boundDevice(rates, usage), carry === 0n ? nanos : nanos + 1n);
      }),
    );
  });

  it("never falls when more is used", () => {
    fc.assert(
      fc.property(anyCard, anyUsage, fc.constantFrom(...deviceDimensions), quantity, (...of) => {
        const [any, usage, dimension, more] = of;
        const rates = compileDeviceRates(any);
        const grown = { ...usage, [dimension]: usage[dimension] + more };
        assert.ok(chargeDevice(rates, grown, 0n).nanos >= chargeDevice(rates, usage, 0n).nanos);
      }),
    );
  });

  it("of less than nothing is refused", () => {
    const rates = compileDeviceRates(card);
    assert.throws(
      () => chargeDevice(rates, { ...noDeviceUsage, networkBytes: -1n }, 0n),
      RangeError,
    );
    assert.throws(() => chargeDevice(rates, noDeviceUsage, -1n), RangeError);
    assert.throws(() => chargeDevice(rates, noDeviceUsage, rates.denominator), RangeError);
    assert.equal(chargeDevice(rates, noDeviceUsage, 0n).nanos, parseNanos("0"));
  });
});

describe("a rate card", () => {
  it("is read back as it was written", () => {
    fc.assert(
      fc.property(anyCard, (any) => {
        const spelled = canonicalDeviceRateCard(any);
        assert.equal(canonicalDeviceRateCard(parseDeviceRateCard(spelled)), spelled);
      }),
    );
  });

  for (const [name, wrong, fault] of [
    [
      "a rate that is a number",
      { rates: { ...card.rates, networkBytes: 0.02 } },
      "rates.networkBytes",
    ],
    ["a rate that is missing", { rates: {} }, "rates.cpuNanoseconds"],
    ["a negative rate", { rates: { ...card.rates, gpuNanoseconds: "-1" } }, "rates.gpuNanoseconds"],
    ["an unknown field", { discount: "1" }, "discount"],
    ["another rounding", { rounding: "UP" }, "rounding"],
    ["an exchange within one currency", { exchangeRate: "2" }, "exchangeRate"],
  ] as const) {
    it(`with ${name} is refused, naming it`, () => {
      assert.throws(
        () => parseDeviceRateCard(JSON.stringify({ ...card, ...wrong })),
        (error) => error instanceof PriceError && error.message.includes(fault),
      );
    });
  }
});
